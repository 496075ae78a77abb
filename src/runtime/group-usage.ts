// What a process group has used of the machine, with all that it has started, from `/proc`.
import { memoryOf, processIds, statFields } from './process-facts.js';

/** USER_HZ: 100 on every Linux that Node runs on. */
const MS_PER_TICK = 10;
/** Groups that are asked for one after the other are answered from one look, ms. */
const FRESH = 100;

export interface GroupUsage {
  /** CPU time of its members and of those of their children that have ended, ms. */
  readonly cpu: number;
  /** Resident memory, bytes; what members share counts for each. */
  readonly memory: number;
}

let looked = -Infinity;
let groups = new Map<number, GroupUsage>();

/** Undefined when nobody is in the group, or there is no `/proc`. */
export function groupUsage(group: number): GroupUsage | undefined {
  const now = performance.now();
  if (now - looked > FRESH) {
    groups = lookAtAll();
    looked = now;
  }
  return groups.get(group);
}

function lookAtAll(): Map<number, GroupUsage> {
  const found = new Map<number, GroupUsage>();
  for (const pid of processIds() ?? []) {
    const fields = statFields(pid);
    if (!fields) continue;
    const [group, ticks] = [Number(fields[2]), [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0)];
    const resident = memoryOf(pid, 'VmRSS') ?? 0;
    const so = found.get(group) ?? { cpu: 0, memory: 0 };
    found.set(group, { cpu: so.cpu + ticks * MS_PER_TICK, memory: so.memory + resident });
  }
  return found;
}
