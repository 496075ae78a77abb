// Processes that nobody owns any more. What is ours is proved, never guessed: by a record with pid and start time, or by the
// mark of one start (`MIMAS_LAUNCH`) in its environment. Other launchers' and other people's processes carry other marks.
import { readFileSync } from 'node:fs';
import { deadline } from '../runtime/deadline.js';
import { GROUP_END_MS } from '../runtime/ending.js';
import { groupEmptied, groupGone } from '../runtime/group-members.js';
import { processFacts, processIds } from '../runtime/process-facts.js';
import { signalGroup } from '../runtime/process-group.js';
import { identityOf, isSame, type Identity } from '../runtime/identity.js';

/** The environment variable with `<instance>.<number of the start>`. */
export const LAUNCH_MARK = 'MIMAS_LAUNCH';
/** From SIGTERM to SIGKILL, ms. */
export const ORPHAN_GRACE_MS = 5_000;
const POLL_MS = 20;

export interface Marked extends Identity {
  readonly launch: string;
}

/** All processes of this user that carry a mark of one of `instances`. Empty where there is no `/proc`. */
export function findMarked(instances: ReadonlySet<string>): Marked[] {
  return (processIds() ?? []).flatMap((pid) => {
    if (pid === process.pid) return [];
    const mark = environment(pid)?.split('\0').find((variable) => variable.startsWith(`${LAUNCH_MARK}=`))?.slice(LAUNCH_MARK.length + 1);
    return mark !== undefined && instances.has(instanceOf(mark)) ? [{ ...identityOf(pid), launch: mark }] : [];
  });
}

/** The launcher that made the mark. */
export const instanceOf = (launch: string): string => launch.slice(0, launch.lastIndexOf('.'));

/** Whatever carries the mark of this one start. */
export const markedBy = (launch: string): Marked[] => findMarked(new Set([instanceOf(launch)])).filter((marked) => marked.launch === launch);

function environment(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    // Gone, or another user's.
    return undefined;
  }
}

/**
 * SIGTERM, the grace, SIGKILL, to the process and, if it leads one, to its group; resolves when nobody of it is left. False when
 * that process is not there any more: then nobody is signalled.
 */
export async function endOrphan(identity: Identity, grace: number = ORPHAN_GRACE_MS, hurry?: AbortSignal): Promise<boolean> {
  if (!isSame(identity)) return false;
  const { pid } = identity;
  const polite = grace > 0 && !hurry?.aborted;
  const over = deadline(polite ? grace : 0, hurry);
  try {
    if (processFacts(pid)?.group === pid) {
      // The number stays the group's for as long as anybody is in it, whether its leader lives or not.
      if (polite) signalGroup(pid, 'SIGTERM');
      if (!polite || !(await groupEmptied(pid, over.signal))) await groupGone(pid, GROUP_END_MS);
      return true;
    }
    if (polite) signalOne(identity, 'SIGTERM');
    // One that hangs in the kernel is waited for no longer.
    const end = performance.now() + (polite ? grace : 0) + GROUP_END_MS;
    while (isSame(identity) && performance.now() < end) {
      if (!polite || over.signal.aborted) signalOne(identity, 'SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return true;
  } finally {
    over.done();
  }
}

function signalOne(identity: Identity, signal: NodeJS.Signals): void {
  if (!isSame(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch {
    // It has just ended.
  }
}
