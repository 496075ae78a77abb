// The cgroup of a child: the kernel keeps its limits where this machine allows to make one. Its children are in it as well.
// Invariant: a name says whose it is, so that what a killed program left is removed by the next one.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Cgroup, detectCgroups, removeEmpty, type CgroupSupport } from './cgroups.js';
import { isSame, myself } from './identity.js';
import { COLLECTED_AT } from './memory-watch.js';
import type { LaunchOptions } from './runtime.js';

const PREFIX = 'mimas-child-';
const NAME = /^mimas-child-(\d+)-(\d+)-\d+$/;

let support: CgroupSupport | undefined;
let next = 1;
let warned = false;

/** Makes it; the caller puts the child in and removes it when nobody is in it any more. Undefined: there is nothing to keep, or no way to. */
export function groupFor({ maxMemory, maxCpu, name }: LaunchOptions): Cgroup | undefined {
  if (maxMemory === undefined && maxCpu === undefined) return undefined;
  if (!support) {
    support = detectCgroups();
    sweep(support);
  }
  const limits = { memoryLimit: maxMemory === undefined ? undefined : maxMemory + COLLECTED_AT, cpuLimit: maxCpu === undefined ? undefined : maxCpu / 100 };
  let why = maxCpu !== undefined && !support.parents.cpu ? support.missing.filter((one) => one.includes('cpu')).join('; ') : undefined;
  let group: Cgroup | undefined;
  try {
    group = Object.keys(support.parents).length === 0 ? undefined : new Cgroup(`${PREFIX}${myself().pid}-${myself().startTicks}-${next++}`, limits, support);
  } catch (error) {
    why = (error as Error).message;
  }
  if (maxCpu !== undefined && why !== undefined) warnOnce(name, why);
  return group;
}

/** Puts the child in; false when that cannot be, and then it is as if there were no group. */
export function enter(group: Cgroup, pid: number, { maxCpu, name }: LaunchOptions): boolean {
  try {
    group.enter(pid);
    return true;
  } catch (error) {
    group.remove();
    if (maxCpu !== undefined) warnOnce(name, (error as Error).message);
    return false;
  }
}

function warnOnce(name: string, why: string): void {
  if (warned) return;
  warned = true;
  process.emitWarning(`resources.maxCpu of ${name} is not kept by the kernel here (${why}): a process that uses more is not slowed down, its health is 'degraded'`, 'MimasWarning');
}

function sweep({ parents }: CgroupSupport): void {
  for (const parent of new Set(Object.values(parents))) {
    for (const name of readdirSync(parent)) {
      const [, pid, startTicks] = NAME.exec(name) ?? [];
      if (pid !== undefined && !isSame({ pid: Number(pid), startTicks: startTicks!, boot: myself().boot })) removeEmpty(join(parent, name));
    }
  }
}
