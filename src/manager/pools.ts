// Pools of spawned processes: the manager's units become the members of a pool.
import { nanoid } from 'nanoid';
import type { Member, StartMemberOptions } from '../pool/member.js';
import { POOL_OPTIONS, resolvePoolOptions, type PoolOptions } from '../pool/options.js';
import { Pool } from '../pool/pool.js';
import { refuseUnknown } from '../supervisor/options.js';
import type { ManagedProcess } from './managed-process.js';
import { SPAWN_OPTIONS, type CommonOptions, type SpawnOptions } from './options.js';

export type PoolSpawnOptions = PoolOptions & Omit<SpawnOptions, 'maxQueue' | 'queueTimeout'>;

/** Options that mean the pool's own queue, not that of each process. */
const CENTRAL: readonly string[] = ['maxQueue', 'queueTimeout'];

/** What the manager lends to its pools. */
export interface PoolHost {
  readonly defaults: CommonOptions;
  spawnUnit(options: SpawnOptions, start: StartMemberOptions): Promise<ManagedProcess>;
  onCreated(pool: Pool): void;
  onStopped(pool: Pool): unknown;
}

export async function startPool(file: string, options: PoolSpawnOptions, host: PoolHost): Promise<Pool> {
  refuseUnknown(options, [...new Set([...POOL_OPTIONS, ...SPAWN_OPTIONS])], 'pool');
  const { maxQueue, queueTimeout } = host.defaults;
  const given = Object.entries(options);
  const own = { maxQueue, queueTimeout, ...Object.fromEntries(given.filter(([key]) => POOL_OPTIONS.includes(key))) } as PoolOptions;
  const spawn = Object.fromEntries(given.filter(([key]) => SPAWN_OPTIONS.includes(key) && !CENTRAL.includes(key))) as SpawnOptions;
  const pool: Pool = new Pool({
    id: `pool-${nanoid(10)}`,
    name: options.name ?? file,
    options: resolvePoolOptions(own),
    start: async (start) => memberOf(await host.spawnUnit(spawn, start)),
    onStopped: () => host.onStopped(pool),
  });
  host.onCreated(pool);
  await pool.population.start();
  return pool;
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
    get failure() {
      return unit.failure;
    },
    meter: unit.meter,
    methodNames: () => unit.client.methods(),
    methodInfo: (method) => unit.client.methodInfo(method),
    invoke: (method, args, options) => unit.client.invoke(method, args, options),
    onStatus: (listener) => unit.on('status', ({ to }) => listener(to)),
    stop: ({ reason, timeout }) => unit.stop({ reason, ...(timeout === undefined ? {} : { timeout }) }),
    health: () => unit.health(),
    metrics: () => unit.metrics(),
  };
}
