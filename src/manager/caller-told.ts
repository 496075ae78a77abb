// Who asked for what failed: a start goes wrong in another thread, or turns of the event loop later, where no stack leads back to the line that
// asked for it. Invariant: asking costs a look at the stack; it is written out for a failure only.
import { isError } from '../errors.js';
import { foreignFrames, foreignLines } from '../rpc/wire-error.js';

export type Told = <T>(work: Promise<T>) => Promise<T>;

const told = new WeakSet<Error>();

/** Call it before anything is waited for. What it gives adds this caller's frames to the stack of what `work` rejects with. */
export function callerTold(): Told {
  const caller: { stack?: string } = {};
  Error.captureStackTrace(caller, callerTold);
  return async (work) => {
    try {
      return await work;
    } catch (error) {
      if (isError(error)) tell(error, caller.stack);
      throw error;
    }
  };
}

function tell(error: Error, caller: string | undefined): void {
  const [first, ...others] = foreignFrames(caller);
  const stack = error.stack ?? String(error);
  // The same line, in another column where it is waited for. And one start may have been asked for by several.
  if (first === undefined || told.has(error) || stack.includes(first.slice(first.search(/[^\s(]*$/), first.lastIndexOf(':') + 1))) return;
  told.add(error);
  Object.defineProperty(error, 'stack', { value: [...foreignLines(stack.trimEnd()), first, ...others].join('\n'), configurable: true, writable: true });
}
