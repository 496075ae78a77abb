// What can be said of a process that has died: whether it has, and why, in an error that names method, exit and last words.
import { MemoryLimitError, ProcessCrashedError } from '../errors.js';
import type { Exit } from '../runtime/runtime.js';
import type { RunningProcess } from '../runtime/start.js';
import { answers } from './probe.js';

/** The exit of a process may be heard of this much later than the end of its links, ms. */
const DEATH_GRACE_MS = 250;

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

/** A link ended: has the process itself, too? Its other link tells, unless that one is silent for too long. */
export async function outlives({ incarnation, control }: RunningProcess, stuckTimeout: number): Promise<boolean> {
  let dead = false;
  const exited = incarnation.exited.then(() => void (dead = true));
  if (!control.closed) await answers(Promise.race([control.ping(), exited]), stuckTimeout);
  // Both links ended: the exit is about to be heard of.
  if (control.closed) await answers(exited, DEATH_GRACE_MS);
  return !dead;
}

const indent = (text: string): string => text.replace(/^/gm, '    ');
