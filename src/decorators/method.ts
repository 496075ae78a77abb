// @Public, @HealthCheck and @OnShutdown: what a method of a process is for. They write it down and leave the method as it is.
// Invariant: @Public is the only door; a health check or shutdown hook is not callable unless it is also @Public.
import { InvalidProcessError } from '../errors.js';
import type { Duration } from '../units.js';
import type { ClassRecord } from './metadata.js';
import { count, duration, flag, readOptions } from './options.js';
import { methodTarget, refuseBare } from './target.js';

export interface PublicOptions {
  /** How long one run may take; the caller may set another. */
  timeout?: Duration | undefined;
  /** It may run twice: a call that was in flight when the process died is made again on the next one. */
  idempotent?: boolean | undefined;
  /** How many calls of this method run at once in one process; the others wait. */
  concurrency?: number | undefined;
}

export interface HealthCheckOptions {
  interval?: Duration | undefined;
  timeout?: Duration | undefined;
}

/** A decorator for public instance methods, in both flavours: the first signature is the standard one. */
export interface ProcessMethodDecorator {
  (value: (...args: never) => unknown, context: ClassMethodDecoratorContext & { readonly static: false; readonly private: false }): void;
  <Method extends (...args: never) => unknown>(target: object & { prototype?: never }, key: string, descriptor: TypedPropertyDescriptor<Method>): void;
}

/** Opens a method to callers. Options are defaults that a caller may override. */
export function Public(options?: PublicOptions): ProcessMethodDecorator;
export function Public(...args: unknown[]): ProcessMethodDecorator {
  return declare('Public', args, (record, name, where) => {
    once(record.methods.has(name), where);
    record.methods.set(name, readOptions<{ timeout: number; idempotent: boolean; concurrency: number }>(where, args[0], { timeout: duration, idempotent: flag, concurrency: count }));
  });
}

/** A method that says how the process is. Several may stand in one class; all are asked. */
export function HealthCheck(options?: HealthCheckOptions): ProcessMethodDecorator;
export function HealthCheck(...args: unknown[]): ProcessMethodDecorator {
  return declare('HealthCheck', args, (record, name, where) => {
    once(record.healthChecks.has(name), where);
    record.healthChecks.set(name, readOptions<{ interval: number; timeout: number }>(where, args[0], { interval: duration, timeout: duration }));
  });
}

/** A method that runs before the process stops. Several run in the order of their declaration, those of a base class first. */
export function OnShutdown(): ProcessMethodDecorator;
export function OnShutdown(...args: unknown[]): ProcessMethodDecorator {
  return declare('OnShutdown', args, (record, name, where) => {
    once(record.shutdownHooks.has(name), where);
    readOptions(where, args[0], {});
    record.shutdownHooks.add(name);
  });
}

function declare(decorator: string, args: readonly unknown[], write: (record: ClassRecord, name: string, where: string) => void): ProcessMethodDecorator {
  refuseBare(decorator, args);
  return (...target: unknown[]): void => {
    const { record, name, where } = methodTarget(decorator, target);
    write(record, name, where);
  };
}

function once(already: boolean, where: string): void {
  if (already) throw new InvalidProcessError(`${where}: it stands there twice; keep one`);
}
