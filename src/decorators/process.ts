// @Process: makes a class a process. It only writes down what was said; nothing is wrapped and nothing starts.
import { InvalidProcessError } from '../errors.js';
import type { Constructor } from './metadata.js';
import { readOptions, text } from './options.js';
import { classTarget, refuseBare } from './target.js';

export interface ProcessOptions {
  /** Default: the name of the class. */
  name?: string | undefined;
  version?: string | undefined;
  description?: string | undefined;
}

/** One signature for both flavours: legacy passes the class, standard the class and a context. */
export type ProcessDecorator = (target: Constructor, context?: ClassDecoratorContext) => void;

/**
 * Marks the default-exported class of a process file.
 * @throws InvalidProcessError when it stands on something else, stands twice, or lacks its parentheses.
 */
export function Process(options?: ProcessOptions): ProcessDecorator;
export function Process(...args: unknown[]): ProcessDecorator {
  refuseBare('Process', args);
  return (...target: unknown[]) => {
    const { where, record } = classTarget('Process', target);
    if (record.process) throw new InvalidProcessError(`${where}: it stands there twice; keep one`);
    record.process = readOptions<{ name: string; version: string; description: string }>(where, args[0], { name: text, version: text, description: text });
  };
}
