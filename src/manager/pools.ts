// Pools of spawned processes: the manager's units become the members of a pool.
import { nanoid } from 'nanoid';
import type { Member } from '../pool/member.js';
import { POOL_OPTIONS, resolvePoolOptions, type PoolOptions } from '../pool/options.js';
import { Pool } from '../pool/pool.js';
import { refuseUnknown } from '../supervisor/options.js';
import type { ManagedProcess } from './managed-process.js';
import { SPAWN_OPTIONS, type SpawnOptions } from './options.js';

export type PoolSpawnOptions = PoolOptions & Omit<SpawnOptions, 'maxQueue' | 'queueTimeout'>;

/** Options that mean the pool's own queue, not that of each process. */
const CENTRAL: readonly string[] = ['maxQueue', 'queueTimeout'];

export async function startPool(file: string, options: PoolSpawnOptions, spawnUnit: (options: SpawnOptions) => Promise<ManagedProcess>, onStopped: (pool: Pool) => void): Promise<Pool> {
  refuseUnknown(options, [...new Set([...POOL_OPTIONS, ...SPAWN_OPTIONS])], 'pool');
  const own = Object.fromEntries(Object.entries(options).filter(([key]) => POOL_OPTIONS.includes(key))) as PoolOptions;
  const spawn = Object.fromEntries(Object.entries(options).filter(([key]) => SPAWN_OPTIONS.includes(key) && !CENTRAL.includes(key))) as SpawnOptions;
  const name = options.name ?? file;
  const pool: Pool = new Pool({
    id: `pool-${nanoid(10)}`,
    name,
    options: resolvePoolOptions(own),
    start: async () => memberOf(await spawnUnit(spawn)),
    onStopped: () => onStopped(pool),
  });
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
