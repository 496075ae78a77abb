// What can be said of a thread of a CPU pool that has ended, or did not come up.
import { InitError, InvalidOptionError, MemoryLimitError, NotCloneableError, ProcessCrashedError, ProcessStartError, type StartPhase, isError } from '../../errors.js';
import { wentOver, type MemoryBound } from '../../runtime/memory-guard.js';
import type { Thread, ThreadEnd } from './threads.js';

export interface ThreadDeath {
  readonly name: string;
  /** Of the call that it took along; empty for the death itself. */
  readonly method: string;
  readonly thread: Thread;
  readonly maxMemory: number | undefined;
}

/** `end`: undefined when it is not known yet. */
export function threadDeath(end: ThreadEnd | undefined, { name, method, thread, maxMemory }: ThreadDeath): Error {
  const error = end?.error;
  const where = method ? `${name}.${method}()` : name;
  const fields = { process: name, method };
  if (isOutOfMemory(error) || wentOver(thread.memory)) return new MemoryLimitError(`${where}: the thread went over its memory limit of ${maxMemory ?? 'Node’s default'} bytes and was ended`, { ...fields, limit: maxMemory ?? 0 });
  const stderrTail = thread.output.stderrTail();
  const how = error ? `it threw ${error.name}: ${error.message}` : end ? `it exited with code ${end.code}` : 'it is ending';
  return new ProcessCrashedError(`${where}: the thread died${method ? ' while the call ran' : ''}: ${how}`, { ...fields, exitCode: end?.code ?? null, signal: null, stderrTail, ...(error ? { cause: error } : {}) });
}

export function threadStartError(error: unknown, { file, phase, memory }: { file: string; phase: StartPhase; memory: MemoryBound | undefined }): Error {
  if (error instanceof ProcessStartError || error instanceof InitError || error instanceof InvalidOptionError || error instanceof NotCloneableError) return error;
  if (isOutOfMemory(error) || wentOver(memory)) return new MemoryLimitError(`${file}: went over its memory limit during start`, { limit: memory?.limit ?? 0, process: file });
  return new ProcessStartError(`${file}: ended in phase '${phase}', before it was ready: ${isError(error) ? error.message : String(error)}`, { file, phase, cause: error });
}

const isOutOfMemory = (error: unknown): boolean => (error as NodeJS.ErrnoException | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY';
