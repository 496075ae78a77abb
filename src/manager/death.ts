// What can be said of a process that has ended: whether it has, and why, in an error that names method, exit and last words.
import { LinkClosedError, MemoryLimitError, ProcessCrashedError, ProcessStoppedError, RestartsExhaustedError } from '../errors.js';
import type { Exit } from '../runtime/runtime.js';
import type { RunningProcess } from '../runtime/start.js';
import type { RestartLimit } from '../supervisor/restart-policy.js';
import type { ProcessStatus } from '../types.js';
import { answers } from './probe.js';

/** The exit of a process may be heard of this much later than the end of its links, ms: more where it ended them itself, for what is killed is told without the real exit. */
const DEATH_GRACE_MS = 250;
const EXIT_GRACE_MS = 2_000;

export interface Death {
  readonly name: string;
  readonly maxMemory: number | undefined;
  readonly running: RunningProcess;
  readonly exit: Exit;
  /** What made the manager itself end it. */
  readonly why: Error | undefined;
}

/** `method`: of the call that it took along; empty for the death itself. */
export function deathError({ name, maxMemory, running, exit, why }: Death, method: string): Error {
  const where = method ? `${name}.${method}()` : name;
  if (exit.outOfMemory) {
    return new MemoryLimitError(`${where}: the process went over its memory limit of ${maxMemory ?? 'Node’s default'} bytes and was ended`, { process: name, limit: maxMemory ?? 0, method });
  }
  const how = why ? why.message : exit.error ? `it threw ${exit.error.name}: ${exit.error.message}` : exit.signal ? `it was ended by ${exit.signal}` : `it exited with code ${exit.code}`;
  const stderrTail = running.incarnation.stderrTail();
  return new ProcessCrashedError(`${where}: the process died${method ? ' while the call ran' : ''}: ${how}${stderrTail ? `\n${indent(stderrTail)}` : ''}`, {
    process: name,
    method,
    exitCode: exit.code,
    signal: exit.signal,
    stderrTail,
    ...(exit.error || why ? { cause: exit.error ?? why } : {}),
  });
}

/** Of a call that nothing will take. */
export const stoppedError = (name: string, status: ProcessStatus, cause: unknown): Error =>
  new ProcessStoppedError(`${name}: the process is ${status === 'stopping' ? 'stopping' : 'stopped'} and takes no calls`, { process: name, ...(cause === undefined ? {} : { cause }) });

/** Of a call that was running when its process was stopped. */
export const cutOffError = (name: string, method: string): Error =>
  new ProcessStoppedError(`${name}.${method}(): the process was stopped while the call ran`, { process: name, method });

/** Of a call whose link was lost while its process lives on. */
export const lostError = (name: string, method: string, cause: Error | undefined): Error =>
  new LinkClosedError(`${name}${method && `.${method}()`}: the link to the process was lost${cause ? `: ${cause.message}` : ''}`, { process: name, method, cause });

/** Of a call of a process that its restart policy has given up. */
export const exhaustedError = (name: string, restarts: number, limit: RestartLimit, last: Error, cause: Error | undefined): Error =>
  new RestartsExhaustedError(`${name}: ${last.message}; $handle.restart() starts it again`, { process: name, restarts, limit, cause: cause ?? last });

/** A link ended, `fault` if it was given up: has the process itself, too? Its other link tells, unless that one is silent for too long. */
export async function outlives({ incarnation, control }: RunningProcess, stuckTimeout: number, fault: Error | undefined): Promise<boolean> {
  let dead = false;
  const exited = incarnation.exited.then(() => void (dead = true));
  if (!control.closed) await answers(Promise.race([control.ping(), exited]), stuckTimeout);
  // Both links ended: the exit is about to be heard of.
  if (control.closed) await answers(exited, fault ? DEATH_GRACE_MS : EXIT_GRACE_MS);
  return !dead;
}

const indent = (text: string): string => text.replace(/^/gm, '    ');
