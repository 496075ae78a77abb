// What launchers leave behind: processes of this one that nobody knows any more, and those of a killed predecessor.
// Invariant: only what is proved to be ours is touched, and what was adopted is left alone.
import { removeLeftCgroup, removeLeftCgroups } from '../runtime/cgroups.js';
import { isSame, type Identity } from '../runtime/identity.js';
import type { LaunchedContext } from './launched-context.js';
import { endOrphan, findMarked, instanceOf, ORPHAN_GRACE_MS, type Marked } from './orphans.js';
import type { ProcessRecord, StateFolder } from './state-folder.js';

type Context = Pick<LaunchedContext, 'log' | 'cgroups' | 'marks'>;

/** Ends what carries a mark of `instances` but belongs to nothing that runs. Answers how many. */
export async function sweep(instances: readonly string[], context: Context): Promise<number> {
  const orphans = findMarked(new Set(instances)).filter(({ launch }) => !context.marks.has(launch));
  await endAll(orphans, context);
  return orphans.length;
}

/** Goes through what a predecessor over the same folder has left: each is taken by `adopt`, or ended. */
export async function takeOver(state: StateFolder, adopt: (record: ProcessRecord) => boolean, context: Context): Promise<void> {
  const adopted = new Set<string>();
  const stale: string[] = [];
  const left: ProcessRecord[] = [];
  const instances = new Set(state.lineage);
  for (const record of state.records()) {
    instances.add(instanceOf(record.launch));
    if (!isSame(record)) stale.push(record.launch);
    else if (adopt(record)) adopted.add(record.launch);
    else left.push(record);
  }
  const recorded = new Set(left.map(({ pid }) => pid));
  const marked = findMarked(instances).filter(({ launch, pid }) => !adopted.has(launch) && !recorded.has(pid));
  await endAll([...left, ...marked], context);
  for (const launch of [...stale, ...left.map((record) => record.launch)]) state.remove(launch);
  for (const instance of instances) removeLeftCgroups(instance, context.cgroups());
}

async function endAll(orphans: readonly (Identity & Pick<Marked, 'launch'>)[], { log, cgroups }: Context): Promise<void> {
  if (orphans.length === 0) return;
  log(`Found ${orphans.length} orphaned pattern processes, cleaning up...`);
  await Promise.all(orphans.map(async (orphan) => {
    if (await endOrphan(orphan, ORPHAN_GRACE_MS)) log(`Terminated orphaned process: pid=${orphan.pid}`);
  }));
  for (const launch of new Set(orphans.map((orphan) => orphan.launch))) removeLeftCgroup(launch, cgroups());
}
