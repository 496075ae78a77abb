// What can be said of a thread of a CPU pool that has died, in an error that names method, exit and last words.
import { MemoryLimitError, ProcessCrashedError } from '../../errors.js';
import type { Thread, ThreadEnd } from './threads.js';

export interface ThreadDeath {
  readonly name: string;
  readonly maxMemory: number | undefined;
  readonly thread: Thread;
  /** Undefined when it is not known yet. */
  readonly end: ThreadEnd | undefined;
}

/** `method`: of the call that it took along; empty for the death itself. */
export function threadDeath({ name, maxMemory, thread, end }: ThreadDeath, method: string): Error {
  const error = end?.error;
  const code = end?.code ?? null;
  const where = method ? `${name}.${method}()` : name;
  const fields = { process: name, method };
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY') return new MemoryLimitError(`${where}: the thread went over its memory limit of ${maxMemory ?? 'Node’s default'} bytes and was ended`, { ...fields, limit: maxMemory ?? 0 });
  const stderrTail = thread.output.stderrTail();
  const how = error ? `it threw ${error.name}: ${error.message}` : end ? `it exited with code ${code}` : 'it is ending';
  return new ProcessCrashedError(`${where}: the thread died${method ? ' while the call ran' : ''}: ${how}`, { ...fields, exitCode: code, signal: null, stderrTail, ...(error ? { cause: error } : {}) });
}
