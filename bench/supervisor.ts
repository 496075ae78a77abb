// What idle units cost: memory each, CPU for a minute of resyncs, and the time of one event, for growing numbers of units.
// Run it:  npm run build && node --expose-gc --import mimas/register bench/supervisor.ts
import { Supervisor, WorkQueue, systemClock, type Clock, type Syncer, type Timer } from 'mimas/supervisor';

const SIZES = [100, 1000, 10_000];
const RESYNC = 30_000;
const EVENTS = 20_000;

/** Simulated time, real work: a minute of resyncs costs what it costs, without the minute. */
class SteppingClock implements Clock {
  #now = 0;
  armed: { at: number; callback: () => void }[] = [];
  fired = 0;
  now = () => this.#now;

  setTimeout(callback: () => void, ms: number): Timer {
    const timer = { at: this.#now + ms, callback };
    this.armed.push(timer);
    return timer;
  }

  clearTimeout(timer: Timer): void {
    this.armed = this.armed.filter((other) => other !== timer);
  }

  async run(ms: number): Promise<void> {
    for (const end = this.#now + ms; ;) {
      const next = this.armed.reduce<(typeof this.armed)[number] | undefined>((first, timer) => (first && first.at <= timer.at ? first : timer), undefined);
      if (!next || next.at > end) return void (this.#now = end);
      this.clearTimeout(next);
      this.#now = next.at;
      this.fired++;
      next.callback();
      await new Promise(setImmediate);
    }
  }
}

const memory = () => {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
};

async function measure(units: number) {
  let syncs = 0;
  const syncer: Syncer<number> = {
    syncProcess: () => void syncs++,
    syncTerminatingProcess: () => undefined,
    syncTerminatedProcess: () => undefined,
  };
  const clock = new SteppingClock();
  const supervisor = new Supervisor<number>({ syncer, clock, resyncInterval: RESYNC });
  const ids = Array.from({ length: units }, (_, i) => `unit-${i}`);
  const create = (owner: Supervisor<number>) => Promise.all(ids.map((id) => owner.updateProcess({ id, updateType: 'create', config: 1 })));
  // So many supervisors of this size that noise does not matter; only one of them goes on.
  const others = Array.from({ length: Math.ceil(20_000 / units) - 1 }, () => new Supervisor<number>({ syncer, clock: new SteppingClock(), resyncInterval: RESYNC }));
  const before = memory();
  await create(supervisor);
  for (const other of others) await create(other);
  const bytes = (memory() - before) / (units * (others.length + 1));
  await Promise.all(others.splice(0).map((other) => other.shutdown()));
  const timers = clock.armed.length;

  await clock.run(RESYNC);
  syncs = 0;
  const cpu = process.cpuUsage();
  await clock.run(60_000);
  const spent = process.cpuUsage(cpu);
  const cpuMs = (spent.user + spent.system) / 1000;
  const resyncs = syncs;

  // One event: an update is handed in, the unit synced, and its next resync queued.
  const event = async (n: number) => {
    for (let i = 0; i < n; i++) await supervisor.updateProcess({ id: ids[(i * 7919) % units]!, updateType: 'sync' });
  };
  await event(EVENTS);
  const started = performance.now();
  await event(EVENTS);
  const perEvent = ((performance.now() - started) * 1000) / EVENTS;

  const stop = performance.now();
  await supervisor.shutdown();
  const shutdown = performance.now() - stop;
  return { units, timers, 'bytes/unit': Math.round(bytes), 'resyncs/min': resyncs, 'CPU ms/min': Number(cpuMs.toFixed(1)), 'CPU %': Number((cpuMs / 600).toFixed(3)), 'µs/event': Number(perEvent.toFixed(2)), 'µs/queue op': Number(queueOperation(units).toFixed(3)), 'shutdown ms': Number(shutdown.toFixed(1)) };
}

/** Moving one entry in a queue of `units`: what must grow no faster than log n. */
function queueOperation(units: number): number {
  const queue = new WorkQueue<number>({ clock: systemClock, onDue: () => undefined, unref: true });
  for (let i = 0; i < units; i++) queue.add(i, 1e6 + Math.random() * 1e6);
  const run = (n: number) => {
    for (let i = 0; i < n; i++) {
      const key = (i * 7919) % units;
      queue.delete(key);
      queue.add(key, 1e6 + Math.random() * 1e6);
    }
  };
  run(50_000);
  const started = performance.now();
  run(200_000);
  const micros = ((performance.now() - started) * 1000) / 200_000;
  queue.clear();
  return micros;
}

await measure(1000);
const rows = [];
for (const units of SIZES) rows.push(await measure(units));
console.table(rows);
if (!globalThis.gc) console.log('(run with --expose-gc for exact memory)');
const [small, large] = [rows[0]!, rows.at(-1)!];
console.log(`an event costs ${(large['µs/event'] / small['µs/event']).toFixed(2)}× as much with ${large.units / small.units}× the units (log n would be ${(Math.log2(large.units) / Math.log2(small.units)).toFixed(2)}×)`);
