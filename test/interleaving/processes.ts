// Worlds of real processes: alone or in a pool, left in peace or ended while they work.
import { createProcessManager, type Isolation, type ProcessHandle, type RemotePool, type SpawnOptions } from 'mimas';
import { internalsOf } from '../contract/cells.js';
import type Interleaving from '../fixtures/processes/interleaving.process.js';
import { ticks } from '../fixtures/processes/ticks.js';
import { lives } from '../helpers/garbage.js';
import type { Proxy } from './operation.js';
import { named, nonZero, type Cell, type End, type Leftovers, type Process, type World } from './world.js';

const FILE = new URL('../fixtures/processes/interleaving.process.ts', import.meta.url);
/** No busy machine makes a process look stuck; a restart does not wait long for calls that wait for it; nothing is given up. */
const OPTIONS: SpawnOptions = { stuckTimeout: 60_000, gracePeriod: 300, restartPolicy: { maxRestarts: Infinity, maxFailures: Infinity, backoff: { initial: 1, max: 5 } } };

type More = Pick<Cell, 'disturbed'>;
type Report = Awaited<ReturnType<Interleaving['left']>>;
/** Who keeps a function for an operation that was lost is not told. */
const seen = ({ open, kept: all, wrong }: Report, { disturbed }: More, kept = disturbed ? [] : all): Leftovers => (open.length + kept.length + wrong.length > 0 ? { open, kept, wrong } : {});

async function leftOf(proxy: Proxy, more: More): Promise<Leftovers> {
  const report = await proxy.left();
  const { session, inFlight, queued } = internalsOf(proxy);
  return { ...seen(report, more), ...nonZero({ inFlight, queued, pending: session.pending, live: session.live.size, serving: session.dispatcher.active }) };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await ticks(3);
}

/** Ends what is at `pid`, by force where there is a process of its own, else through `die`; whether it is gone is the caller's to see. */
async function end(isolation: Isolation, pid: number | undefined, die: () => Promise<unknown>): Promise<void> {
  if (isolation !== 'child' || pid === undefined) return void (await die().catch(() => {}));
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Another step of the schedule was first.
  }
}

async function disturb(proxy: Proxy, how: End): Promise<void> {
  const handle: ProcessHandle = proxy.$handle;
  if (how === 'cut') {
    const { session } = internalsOf(proxy);
    session?.close();
    return until(() => internalsOf(proxy).session !== undefined && internalsOf(proxy).session !== session);
  }
  if (how === 'restart') return handle.restart();
  const { isolation, pid } = handle;
  await end(isolation, pid, () => proxy.die());
  await until(() => isolation !== 'child' || handle.pid !== pid || handle.status !== 'running');
  await until(() => handle.status === 'running');
}

export const spawned = ({ isolation, transport }: Process, runs: number, more: More = {}): Cell => ({
  name: `${isolation} over ${transport}${more.disturbed ? `, under ${more.disturbed.join(', ')}` : ''}`,
  runs,
  ...more,
  async make(): Promise<World> {
    const pm = createProcessManager({ isolation, transport, output: 'capture', ...OPTIONS });
    const [calc, other] = await Promise.all([pm.spawn<Interleaving>(FILE, { name: 'calc' }), pm.spawn<Interleaving>(FILE, { name: 'other' })]);
    const left = async () => ({ ...named('calc', await leftOf(calc, more)), ...named('other', await leftOf(other, more)) });
    // A new link begins with nothing lent; what is lent still is counted after a collection.
    const lent = () => internalsOf(calc).session.exports.size + internalsOf(other).session.exports.size;
    return {
      calc,
      other,
      pin: () => calc,
      left,
      async collected() {
        await lives(new WeakRef({}));
        await Promise.all([calc.collect(), other.collect()]);
        return { ...(await left()), ...nonZero({ lent: lent() }) };
      },
      state: () => `calc ${calc.$handle.status}, other ${other.$handle.status}`,
      disturb: (who, how) => disturb(who === 'calc' ? calc : other, how),
      end: () => pm.shutdown({ timeout: 2_000 }),
    };
  },
});

/** `calc` is a pool; calls of an operation that depends on what its process knows go by key to one replica. */
export const pooled = ({ isolation, transport }: Process, size: number, runs: number, more: More = {}): Cell => ({
  name: `a pool of ${size}, ${isolation} over ${transport}${more.disturbed ? ', replicas crashing' : ''}`,
  runs,
  pool: true,
  ...more,
  async make(): Promise<World> {
    const pm = createProcessManager({ isolation, transport, output: 'capture', ...OPTIONS });
    const [pool, other] = await Promise.all([
      pm.pool<Interleaving>(FILE, { size, name: 'pool', strategy: 'consistent-hash' }) as Promise<RemotePool<Interleaving>>,
      pm.spawn<Interleaving>(FILE, { name: 'other' }),
    ]);
    const calc = pool as unknown as Proxy;
    const replicas = () => pool.$handle.replicas();
    const isWhole = () => replicas().filter(({ status }) => status === 'running').length === size;
    const left = async () => {
      const reports = (await pool.$handle.broadcast('left')) as Report[];
      const { active, pending } = pool.$handle;
      return { ...Object.assign({}, ...reports.map((report, slot) => named(`replica ${slot}`, seen(report, more)))), ...nonZero({ active, pending }), ...named('other', await leftOf(other, more)) } as Leftovers;
    };
    return {
      calc,
      other,
      pin: (key) => pool.$with({ key }) as unknown as Proxy,
      left,
      async collected() {
        await lives(new WeakRef({}));
        await Promise.all([pool.$handle.broadcast('collect'), other.collect()]);
        return { ...(await left()), ...nonZero({ lent: internalsOf(other).session.exports.size }) };
      },
      state: () => `pool ${replicas().map(({ status }) => status).join(' ')}, other ${other.$handle.status}`,
      async disturb(who, how) {
        if (who === 'other') return disturb(other, how);
        const victim = isolation === 'child' ? replicas().find(({ status, pid }) => status === 'running' && pid !== undefined)?.pid : undefined;
        await end(isolation, victim, () => pool.die());
        await until(() => victim === undefined || !replicas().some(({ pid, status }) => pid === victim && status === 'running'));
        await until(isWhole);
      },
      end: () => pm.shutdown({ timeout: 2_000 }),
    };
  },
});
