// Processes that nobody owns any more. What is ours is proved, never guessed: by a record with pid and start time, or by the
// mark of one start (`MIMAS_LAUNCH`) in its environment. Other launchers' and other people's processes carry other marks.
import { readdirSync, readFileSync } from 'node:fs';
import { processFacts } from '../runtime/group-members.js';
import { identityOf, isSame, type Identity } from './identity.js';

/** The environment variable with `<instance>.<number of the start>`. */
export const LAUNCH_MARK = 'MIMAS_LAUNCH';
/** From SIGTERM to SIGKILL, ms. */
export const ORPHAN_GRACE_MS = 5_000;
const POLL_MS = 20;

export interface Marked extends Identity {
  readonly launch: string;
}

/** All processes of this user that carry a mark of `instance`. Empty where there is no `/proc`. */
export function findMarked(instance: string): Marked[] {
  let pids: string[];
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  const needle = `${LAUNCH_MARK}=${instance}.`;
  return pids.flatMap((name) => {
    const pid = Number(name);
    if (pid === process.pid) return [];
    const mark = environment(pid)?.split('\0').find((variable) => variable.startsWith(needle));
    return mark === undefined ? [] : [{ ...identityOf(pid), launch: mark.slice(LAUNCH_MARK.length + 1) }];
  });
}

function environment(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    // Gone, or another user's.
    return undefined;
  }
}

/** SIGTERM, the grace, SIGKILL, to the process and to its group if it leads one. Looks who it is before each signal. */
export async function endOrphan(identity: Identity, grace: number = ORPHAN_GRACE_MS, hurry?: AbortSignal): Promise<boolean> {
  if (!isSame(identity)) return false;
  const { pid } = identity;
  const target = processFacts(pid)?.group === pid ? -pid : pid;
  const started = performance.now();
  const wanted = () => (performance.now() - started < grace && !hurry?.aborted ? 'SIGTERM' : 'SIGKILL');
  let sent: string | undefined;
  while (isSame(identity)) {
    const signal = wanted();
    // SIGKILL as often as it takes; the polite one once.
    if (signal !== sent || signal === 'SIGKILL') send(target, signal);
    sent = signal;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  // The leader was ours until now, and a group keeps its number while anybody is in it.
  if (target < 0 && processFacts(pid) === undefined) send(target, 'SIGKILL');
  return true;
}

function send(target: number, signal: NodeJS.Signals): void {
  if (Math.abs(target) <= 1) return;
  try {
    process.kill(target, signal);
  } catch {
    // It has just ended.
  }
}
