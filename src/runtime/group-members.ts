// Who is left in a process group. The dead that nobody has reaped yet (zombies) answer to signals, but are nobody.
import { readdirSync, readFileSync } from 'node:fs';
import { signalGroup } from './process-group.js';

const POLL_MS = 10;
/** Zombies are rare, and looking for them costs a read a process of the machine: not before so many polls. */
const POLLS_BEFORE_LOOKING = 5;

export interface ProcessFacts {
  readonly pid: number;
  readonly state: string;
  readonly group: number;
  /** Clock ticks from boot to its start: with the pid it names one process for ever. */
  readonly startTicks: string;
}

/** What the kernel says of a process; undefined when there is none, or no `/proc`. */
export function processFacts(pid: number): ProcessFacts | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name stands in brackets and may itself contain spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { pid, state: fields[0]!, group: Number(fields[2]), startTicks: fields[19]! };
  } catch {
    return undefined;
  }
}

/** The living of the group; undefined where there is no `/proc` to look at. */
export function livingMembers(group: number): number[] | undefined {
  let entries: string[];
  try {
    entries = readdirSync('/proc');
  } catch {
    return undefined;
  }
  const facts = entries.filter((name) => /^\d+$/.test(name)).map((name) => processFacts(Number(name)));
  if (facts.every((one) => one === undefined)) return undefined;
  return facts.flatMap((one) => (one && one.group === group && one.state !== 'Z' && one.state !== 'X' ? [one.pid] : []));
}

/** Resolves with true when nobody living is left in the group, with false when `stop` aborts first. `onPoll` runs before each look. */
export async function groupEmptied(group: number, stop: AbortSignal | undefined, onPoll: () => void = () => {}): Promise<boolean> {
  for (let polls = 0; ; polls++) {
    onPoll();
    if (!signalGroup(group, 0)) return true;
    if (polls >= POLLS_BEFORE_LOOKING && polls % POLLS_BEFORE_LOOKING === 0 && livingMembers(group)?.length === 0) return true;
    if (stop?.aborted) return false;
    await pause(POLL_MS, stop);
  }
}

function pause(ms: number, stop: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      stop?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    stop?.addEventListener('abort', done, { once: true });
  });
}
