// An error of another process as who waits for it gets it: with the waiting frames behind the process's own.
import { isError } from '../errors.js';
import { joinStacks } from './wire-error.js';

/**
 * Throws `error`. The engine follows the promise of this function to those who await it (or what was resolved with it), so that their
 * frames are known: capturing them when a call is made would cost more than the call. The engine stops at a promise that has two
 * followers; `follow` is for one that may be added then. `from`: the process; undefined when the error is the caller's own.
 */
export async function thrown(error: unknown, from: string | undefined, follow?: () => void): Promise<never> {
  // By then the promise that was resolved with this one has taken its place.
  await undefined;
  await undefined;
  const whole = from === undefined ? error : withWaiting(error, from);
  follow?.();
  throw whole;
}

/** The end of a link is one error for all who wait: it shows the first of them. */
const shown = new WeakSet<Error>();

function withWaiting(error: unknown, from: string): unknown {
  if (!isError(error) || shown.has(error)) return error;
  shown.add(error);
  const here: { stack?: string } = {};
  Error.captureStackTrace(here, withWaiting);
  const stack = joinStacks(error.stack ?? String(error), here.stack, from);
  Object.defineProperty(error, 'stack', { value: stack, configurable: true, writable: true });
  return error;
}
