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

/** The fields of its stat from the state on, see proc(5); undefined when there is no such process, or no such thread of this one. */
export function statFields(of: number | `self/task/${number}`): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${of}/stat`, 'utf8');
    // The name stands in brackets and may itself contain spaces and brackets.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** Bytes of a line of its status: `VmRSS`, all that is resident; `RssAnon`, what of it is shared with nobody. undefined as above. */
export function memoryOf(pid: number | 'self', line: 'VmRSS' | 'RssAnon'): number | undefined {
  try {
    const kb = new RegExp(`^${line}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kb === undefined ? undefined : Number(kb) * 1024;
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
