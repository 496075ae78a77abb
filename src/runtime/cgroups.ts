// Limits that the kernel keeps: one cgroup a process, v2 or v1, wherever a folder can be made. The process enters before it
// executes, so nothing of it ever runs outside.
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const CPU_PERIOD_US = 100_000;
const LONGEST_PERIOD_US = 1_000_000;
const LEAST_QUOTA_US = 1_000;
const DEFAULT_ROOT = '/sys/fs/cgroup';

type Controller = 'memory' | 'cpu';
const CONTROLLERS: readonly Controller[] = ['memory', 'cpu'];
/** The names under which v1 mounts them. */
const V1_MOUNTS: Readonly<Record<Controller, readonly string[]>> = { memory: ['memory'], cpu: ['cpu', 'cpu,cpuacct'] };

/** What a group may use; undefined: no limit. */
export interface CgroupLimits {
  /** Cores. */
  readonly cpuLimit?: number | undefined;
  /** Cores that it gets when there is a run on them. */
  readonly cpuRequest?: number | undefined;
  /** Bytes. */
  readonly memoryLimit?: number | undefined;
  /** Bytes that are taken from it last. */
  readonly memoryRequest?: number | undefined;
}

/** Where limits can be set, and how. */
export interface CgroupSupport {
  readonly version: 1 | 2;
  /** The folder below which a controller's groups are made. With v2 it is one for both. */
  readonly parents: Readonly<Partial<Record<Controller, string>>>;
  readonly missing: readonly string[];
}

/** Looks at what this machine allows. Makes nothing, except that v2 controllers are switched on for children. */
export function detectCgroups(root: string = DEFAULT_ROOT, own: string = readOr('/proc/self/cgroup')): CgroupSupport {
  return existsSync(join(root, 'cgroup.controllers')) ? detectV2(root, own) : detectV1(root, own);
}

function detectV1(root: string, own: string): CgroupSupport {
  const parents: Partial<Record<Controller, string>> = {};
  const missing: string[] = [];
  for (const controller of CONTROLLERS) {
    const mount = V1_MOUNTS[controller].map((name) => join(root, name)).find((path) => existsSync(join(path, 'cgroup.procs')));
    const path = own.split('\n').map((line) => line.split(':')).find(([, names]) => names?.split(',').includes(controller))?.[2] ?? '/';
    // In a container the path may be of the host's tree and not be there.
    const parent = mount && [join(mount, path), mount].find((folder) => writable(folder));
    if (parent) parents[controller] = parent;
    else missing.push(`cgroup v1 ${controller} (${mount ? `${mount} is not writable` : 'not mounted'})`);
  }
  return { version: 1, parents, missing };
}

function detectV2(root: string, own: string): CgroupSupport {
  const path = /^0::(.*)$/m.exec(own)?.[1] ?? '/';
  // A group with processes cannot hand controllers to children, so the nearest one above that can is taken.
  for (let folder = join(root, path); folder.startsWith(root); folder = dirname(folder)) {
    if (!writable(folder)) continue;
    const has = () => readOr(join(folder, 'cgroup.subtree_control')).split(/\s+/);
    for (const controller of CONTROLLERS) {
      try {
        if (!has().includes(controller)) appendFileSync(join(folder, 'cgroup.subtree_control'), `+${controller}`);
      } catch {
        // Told by what is missing afterwards.
      }
    }
    const enabled = CONTROLLERS.filter((name) => has().includes(name));
    if (enabled.length > 0) {
      const missing = CONTROLLERS.filter((name) => !enabled.includes(name)).map((name) => `cgroup v2 ${name} (not enabled below ${folder})`);
      return { version: 2, parents: Object.fromEntries(enabled.map((name) => [name, folder])), missing };
    }
  }
  return { version: 2, parents: {}, missing: ['cgroup v2 memory and cpu (no group that can hand them down is writable)'] };
}

function writable(folder: string): boolean {
  const probe = join(folder, `mimas-probe-${process.pid}`);
  try {
    mkdirSync(probe);
    rmdirSync(probe);
    return true;
  } catch {
    return false;
  }
}

/** The group of one process. */
export class Cgroup {
  readonly #folders = new Map<string, Controller[]>();

  /** What of `resources` cannot be enforced here. */
  static gaps(resources: CgroupLimits, support: CgroupSupport): string[] {
    const gaps: string[] = [];
    if (resources.memoryLimit !== undefined && !support.parents.memory) gaps.push('memory_limit');
    if (resources.memoryRequest !== undefined && !support.parents.memory) gaps.push('memory_request');
    if (resources.cpuLimit !== undefined && !support.parents.cpu) gaps.push('cpu_limit');
    if (resources.cpuRequest !== undefined && !support.parents.cpu) gaps.push('cpu_request');
    return gaps;
  }

  /** Makes the group and sets its limits; a failure leaves nothing behind. */
  constructor(name: string, resources: CgroupLimits, private readonly support: CgroupSupport) {
    const wanted: Record<Controller, boolean> = {
      memory: resources.memoryLimit !== undefined || resources.memoryRequest !== undefined,
      cpu: resources.cpuLimit !== undefined || resources.cpuRequest !== undefined,
    };
    try {
      for (const controller of CONTROLLERS) {
        const parent = support.parents[controller];
        if (!wanted[controller] || !parent) continue;
        const folder = join(parent, name);
        if (!this.#folders.has(folder)) mkdirSync(folder);
        this.#folders.set(folder, [...(this.#folders.get(folder) ?? []), controller]);
        for (const [file, value, optional] of settings(controller, resources, support.version)) set(join(folder, file), value, optional);
      }
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** Files that a process writes its pid to. */
  get entrances(): string[] {
    return [...this.#folders.keys()].map((folder) => join(folder, 'cgroup.procs'));
  }

  /** Puts a running process in; what it has used before counts where it was. */
  enter(pid: number): void {
    for (const entrance of this.entrances) writeFileSync(entrance, String(pid));
  }

  /** The kernel has ended something in it for memory. */
  get outOfMemory(): boolean {
    for (const [folder, controllers] of this.#folders) {
      if (!controllers.includes('memory')) continue;
      const events = readOr(join(folder, this.support.version === 2 ? 'memory.events' : 'memory.oom_control'));
      if (Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? 0) > 0) return true;
    }
    return false;
  }

  /** How often the kernel has made it wait for going over its cores. */
  get throttled(): number {
    for (const [folder, controllers] of this.#folders) if (controllers.includes('cpu')) return Number(/^nr_throttled (\d+)$/m.exec(readOr(join(folder, 'cpu.stat')))?.[1] ?? 0);
    return 0;
  }

  /** When nobody is in it any more. */
  remove(): void {
    for (const folder of this.#folders.keys()) removeEmpty(folder);
    this.#folders.clear();
  }
}

/** The group of one start, by its mark. */
export const cgroupName = (launch: string): string => `mimas-${launch.replace(/[^\w-]/g, '-')}`;

/** Removes the group that a dead launcher made for a start, if nobody is in it. */
export function removeLeftCgroup(launch: string, support: CgroupSupport): void {
  for (const parent of new Set(Object.values(support.parents))) removeEmpty(join(parent, cgroupName(launch)));
}

/** Removes all groups of a dead launcher that nobody is in: it may have been killed before it could record a start, or behind its end. */
export function removeLeftCgroups(instance: string, support: CgroupSupport): void {
  const prefix = cgroupName(`${instance}.`);
  for (const parent of new Set(Object.values(support.parents))) {
    for (const name of readdirSync(parent).filter((one) => one.startsWith(prefix))) removeEmpty(join(parent, name));
  }
}

/** Nothing when somebody is in it. */
export function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Gone, or somebody is still in it: an empty group costs next to nothing.
  }
}

/** A command that enters the groups and then becomes `command`, with the same pid. */
export function wrapInCgroup(entrances: readonly string[], command: string, args: readonly string[]): { command: string; args: string[] } {
  if (entrances.length === 0) return { command, args: [...args] };
  // Writing 0 means the writer itself; `exec` keeps its pid.
  const script = 'n=$1; shift; while [ "$n" -gt 0 ]; do echo 0 > "$1" || exit 126; shift; n=$((n - 1)); done; exec "$@"';
  return { command: '/bin/sh', args: ['-c', script, 'sh', String(entrances.length), ...entrances, command, ...args] };
}

type Setting = readonly [file: string, value: string, optional?: boolean];

function settings(controller: Controller, { memoryLimit, memoryRequest, cpuLimit, cpuRequest }: CgroupLimits, version: 1 | 2): Setting[] {
  const list: Setting[] = [];
  if (controller === 'memory') {
    if (memoryLimit !== undefined) {
      list.push([version === 2 ? 'memory.max' : 'memory.limit_in_bytes', String(memoryLimit)]);
      // Or the limit would only begin to swap. The files are not there without swap accounting.
      list.push(version === 2 ? ['memory.swap.max', '0', true] : ['memory.memsw.limit_in_bytes', String(memoryLimit), true]);
    }
    if (memoryRequest !== undefined) list.push([version === 2 ? 'memory.low' : 'memory.soft_limit_in_bytes', String(memoryRequest)]);
  } else {
    // The kernel takes no quota below 1 ms: a small share is spread over a longer period.
    const period = (cpuLimit ?? 1) * CPU_PERIOD_US < LEAST_QUOTA_US ? LONGEST_PERIOD_US : CPU_PERIOD_US;
    const quota = Math.max(LEAST_QUOTA_US, Math.round((cpuLimit ?? 0) * period));
    if (cpuLimit !== undefined) list.push(...(version === 2 ? [['cpu.max', `${quota} ${period}`] as const] : [['cpu.cfs_period_us', String(period)] as const, ['cpu.cfs_quota_us', String(quota)] as const]));
    // Kubernetes' mapping of cores to shares, and of shares to weights.
    const shares = Math.min(262_144, Math.max(2, Math.round((cpuRequest ?? 0) * 1024)));
    if (cpuRequest !== undefined) list.push(version === 2 ? ['cpu.weight', String(Math.round(1 + ((shares - 2) * 9999) / 262_142))] : ['cpu.shares', String(shares)]);
  }
  return list;
}

function set(file: string, value: string, optional = false): void {
  if (optional && !existsSync(file)) return;
  writeFileSync(file, value);
}

function readOr(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
