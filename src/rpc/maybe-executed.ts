// Whether the method of a call may have begun: the one place that writes it on an error. True is said by the stage of the call (it was
// handed to a link) and not taken back (the peer refused it, or it never left); what ends a call without that never ran.
import { MimasError } from '../errors.js';

/**
 * The error that ended a call, with its `maybeExecuted`. Only Mimas's own errors say it: what a method threw speaks for itself.
 * Whatever the error said before was about another call, one that the method had made and let through.
 */
export function told(error: unknown, maybeExecuted: boolean): unknown {
  if (!(error instanceof MimasError) || error.maybeExecuted === maybeExecuted) return error;
  // One error may end many calls, and they need not all have been sent; and it may be an object that somebody has frozen.
  const own = error.maybeExecuted === undefined && Object.isExtensible(error) ? error : copyOf(error);
  Object.defineProperty(own, 'maybeExecuted', { value: maybeExecuted, enumerable: true, configurable: true, writable: true });
  return own;
}

/** What `error` says of the call that it ended; one that says nothing came from the method. */
export const mayHaveRun = (error: unknown): boolean => !(error instanceof MimasError) || error.maybeExecuted !== false;

/** For one that passes a call on: true when what it was passed to did not begin either. */
export const isRefusal = (error: unknown): boolean => error instanceof MimasError && error.maybeExecuted === false;

/** The error of one of our own calls, for something that is no call to its user: a start. */
export function untold(error: unknown): unknown {
  if (error instanceof MimasError) delete (error as { maybeExecuted?: boolean }).maybeExecuted;
  return error;
}

function copyOf(error: MimasError): MimasError {
  const { stack, maybeExecuted: _other, ...others } = Object.getOwnPropertyDescriptors(error);
  // Where an engine keeps the stack behind an accessor, that reads the object it is asked on.
  const own = stack ? { stack: { value: error.stack, configurable: true, writable: true, enumerable: false } } : {};
  return Object.defineProperties(Object.setPrototypeOf(new Error(), Object.getPrototypeOf(error) as object) as MimasError, { ...others, ...own });
}
