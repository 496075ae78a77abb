// What the kernel tells of processes in `/proc`. Where there is none, nothing is known.
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessFacts {
  readonly pid: number;
  readonly state: string;
  readonly group: number;
  /** Clock ticks from boot to its start: with the pid it names one process for ever. */
  readonly startTicks: string;
}

/** All processes of this machine; undefined where there is no `/proc` to look at. */
export function processIds(): number[] | undefined {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
  } catch {
    return undefined;
  }
}

/** The fields of its stat from the state on, see proc(5); undefined when there is no such process. */
export function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name stands in brackets and may itself contain spaces and brackets.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

export function processFacts(pid: number): ProcessFacts | undefined {
  const fields = statFields(pid);
  return fields && { pid, state: fields[0]!, group: Number(fields[2]), startTicks: fields[19]! };
}

/** The dead that nobody has reaped yet answer to signals, but are nobody. */
export const isLiving = ({ state }: ProcessFacts): boolean => state !== 'Z' && state !== 'X';
