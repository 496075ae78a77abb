// The first and the last of an instance: loaded, constructed, initialised; its shutdown hooks. The same wherever it lives.
import type { ProcessSpec } from '../decorators/index.js';
import { InitError, type StartPhase, isError } from '../errors.js';
import { constructProcess, loadProcessClass } from './load-process.js';
import type { ShutdownContext } from './protocol.js';
import { within } from './within.js';

export type Instance = Record<string, (...args: unknown[]) => unknown>;

export interface BringUpOptions {
  readonly file: string;
  readonly dependencies: unknown;
  /** Above 0 the file is evaluated anew in this thread. */
  readonly version: number;
}

/** @throws ProcessStartError, InitError */
export async function bringUp({ file, dependencies, version }: BringUpOptions, enter: (phase: StartPhase) => void): Promise<{ instance: Instance; spec: ProcessSpec }> {
  const { ctor, spec } = await loadProcessClass(file, version > 0 ? { version } : {});
  enter('construct');
  const instance = (await constructProcess(ctor, dependencies)) as Instance;
  enter('init');
  if (typeof instance['init'] === 'function') {
    try {
      await instance['init'](dependencies);
    } catch (error) {
      throw new InitError(`${spec.name}.init() threw: ${messageOf(error)} (${file})`, { file, phase: 'init', cause: error });
    }
  }
  return { instance, spec };
}

/** Runs the hooks in order, all of them within `ms`; says what went wrong. */
export async function runShutdownHooks(instance: object, hooks: readonly string[], context: ShutdownContext, ms: number): Promise<string[]> {
  const failed: string[] = [];
  const deadline = performance.now() + ms;
  for (const hook of hooks) {
    try {
      const run = Promise.resolve((instance as Instance)[hook]?.(context));
      if (!(await within(run, Math.max(0, deadline - performance.now())))) failed.push(`${hook}: not done within ${Math.round(ms)} ms`);
    } catch (error) {
      failed.push(`${hook}: ${messageOf(error)}`);
    }
  }
  return failed;
}

export const messageOf = (error: unknown): string => (isError(error) ? error.message : String(error));
