// Pools of spawned processes: the manager's units become the members of a pool.
import { nanoid } from 'nanoid';
import { UnsupportedOptionError } from '../errors.js';
import { refuseForCpu, type PrintedLine } from '../pool/cpu/options.js';
import type { WatchedThread } from '../pool/cpu/threads.js';
import { FORMER_OPTIONS } from '../pool/former-names.js';
import type { Member, MemberEvents, StartMember, StartMemberOptions } from '../pool/member.js';
import { POOL_OPTIONS, resolvePoolOptions, type PoolOptions } from '../pool/options.js';
import { Pool } from '../pool/pool.js';
import { threadEnvironment } from '../runtime/environment.js';
import { resourceLimitsOf } from '../runtime/resource-limits.js';
import { refuseUnknown } from '../supervisor/options.js';
import { resolveRestartPolicy } from '../supervisor/restart-options.js';
import type { ManagedProcess } from './managed-process.js';
import type { OwnEvents } from './process-context.js';
import { resolveSpawnOptions, SPAWN_OPTIONS, type CommonOptions, type ManagerOptions, type SpawnOptions } from './options.js';

export type PoolSpawnOptions = PoolOptions & Omit<SpawnOptions, 'maxQueue' | 'queueTimeout'>;

/** Options that mean the pool's own queue, not that of each process. */
const CENTRAL: readonly string[] = ['maxQueue', 'queueTimeout'];

/** What the manager lends to its pools. */
export interface PoolHost {
  readonly defaults: ManagerOptions;
  spawnUnit(options: SpawnOptions, start: StartMemberOptions): Promise<ManagedProcess>;
  onCreated(pool: Pool): void;
  onStopped(pool: Pool): unknown;
  /** A thread of a CPU pool was started. */
  onThread(name: string, thread: WatchedThread): void;
  /** A thread of a CPU pool printed a line. */
  onLog(line: PrintedLine): void;
}

export async function startPool(file: string, options: PoolSpawnOptions, host: PoolHost): Promise<Pool> {
  refuseUnknown(options, [...new Set([...POOL_OPTIONS, ...SPAWN_OPTIONS])], 'pool', FORMER_OPTIONS);
  const { maxQueue, queueTimeout } = host.defaults;
  const given = Object.entries(options);
  const own = { maxQueue, queueTimeout, ...Object.fromEntries(given.filter(([key]) => POOL_OPTIONS.includes(key))) } as PoolOptions;
  const spawn = Object.fromEntries(given.filter(([key]) => SPAWN_OPTIONS.includes(key) && !CENTRAL.includes(key))) as SpawnOptions;
  const resolved = resolvePoolOptions(own);
  const cpu = options.workload === 'cpu' ? await cpuStarter(file, options, host) : undefined;
  const pool: Pool = new Pool({
    id: `pool-${nanoid(10)}`,
    name: options.name ?? file,
    options: resolved,
    start: cpu?.start ?? (async (start) => memberOf(await host.spawnUnit(spawn, start))),
    onStopped: async () => {
      await cpu?.close();
      host.onStopped(pool);
    },
  });
  host.onCreated(pool);
  await pool.population.start();
  return pool;
}

/** Members that are threads of a Piscina. What belongs to them is loaded when the first CPU pool is made. */
async function cpuStarter(file: string, own: PoolSpawnOptions, { defaults, onLog, onThread }: PoolHost): Promise<{ start: StartMember; close(): Promise<void> }> {
  if (defaults.testing?.useMockSpawner) throw new UnsupportedOptionError("workload 'cpu' cannot work with testing.useMockSpawner: its calls run on threads of their own", { option: 'workload' });
  const given = Object.fromEntries(Object.entries(own).filter(([key]) => SPAWN_OPTIONS.includes(key) && !CENTRAL.includes(key))) as SpawnOptions;
  const spawn = resolveSpawnOptions(given, defaults, file);
  const { maxMemory, maxCpu, env } = spawn;
  const pick = <K extends keyof CommonOptions>(key: K) => given[key] ?? defaults[key];
  refuseForCpu({ ...spawn, concurrency: own.concurrency, maxFrame: pick('maxFrame'), stuckTimeout: given.stuckTimeout, latency: pick('latency') as string | undefined, output: pick('output') as string | undefined, outputOverflow: pick('outputOverflow') as string | undefined, maxCpu });
  const [{ Threads }, { CpuMember }] = await Promise.all([import('../pool/cpu/threads.js'), import('../pool/cpu/cpu-member.js')]);
  const threads = await Threads.create({
    env: threadEnvironment(env),
    argv: spawn.argv,
    execArgv: spawn.execArgv,
    resourceLimits: maxMemory === undefined ? undefined : resourceLimitsOf(maxMemory),
    onThread: (thread) => onThread(spawn.name ?? spawn.label, thread),
  });
  const options = { ...spawn, file, caller: defaults.name ?? 'main', restartPolicy: { ...resolveRestartPolicy(spawn.restartPolicy), heals: true }, onLog };
  return { start: ({ signal }) => CpuMember.start(threads, options, signal), close: () => threads.close() };
}

function memberOf(unit: ManagedProcess): Member {
  return {
    get id() {
      return unit.id;
    },
    get name() {
      return unit.name;
    },
    get status() {
      return unit.status;
    },
    get pid() {
      return unit.pid;
    },
    get threadId() {
      return unit.threadId;
    },
    get restarts() {
      return unit.restarts;
    },
    get halt() {
      return unit.down.halt;
    },
    get failure() {
      return unit.down.failure;
    },
    meter: unit.meter,
    methodNames: () => unit.client.methods(),
    withheld: () => unit.client.withheld(),
    methodInfo: (method) => unit.client.methodInfo(method),
    invoke: (method, args, options) => unit.client.invoke(method, args, options),
    onStatus: (listener) => unit.on('status', ({ to }) => listener(to)),
    hear: (event, listener) => hear(unit, event, listener),
    retry: () => unit.restart(),
    stop: ({ reason, timeout }) => unit.stop({ reason, ...(timeout === undefined ? {} : { timeout }) }),
    health: () => unit.health(),
    metrics: () => unit.metrics(),
  };
}

function hear<E extends keyof MemberEvents>(unit: ManagedProcess, event: E, listener: (detail: MemberEvents[E]) => void): () => void {
  if (event === 'death') return unit.on('crash', (death) => listener(death as never));
  return unit.own.on(event as keyof OwnEvents, (detail) => listener(detail as never));
}
