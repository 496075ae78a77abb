// The jobs of a few milliseconds: calls one at a time, many at a time, objects, buffers, streams.
import { inFlight, oneByOne } from '../lib/drive.mjs';
import { cpuMicros, familyOf } from '../lib/proc.mjs';
import { median, quantile } from '../lib/stats.mjs';
import { nested } from '../lib/work.mjs';

const MIB = 1024 * 1024;
/** Calls until compilers have settled. */
const RUN_IN = 400_000;
const objects = Array.from({ length: 64 }, (_, i) => nested(i));
const bytes = new Uint8Array(MIB).fill(7);

/** An unmeasured part comes first: after a pause of seconds caches are cold and the governor has slowed the core. */
const warm = (call, window) => oneByOne(call, window / 5);

async function crowd(call, width, { api, pids }, window) {
  await inFlight((i) => call(api, i), width, window / 3);
  const before = cpuMicros(pids);
  const { calls, ms } = await inFlight((i) => call(api, i), width, window);
  return { rate: (calls * 1000) / ms, cpu: (cpuMicros(pids) - before) / calls };
}

const add = (api, i) => api.add(i, 1);
const echo = (api, i) => api.echo(objects[i & 63]);

export const latency = {
  name: 'latency', title: 'add one at a time',
  async run({ api }, window) {
    await warm((i) => api.add(i, 1), window);
    const taken = await oneByOne((i) => api.add(i, 1), window);
    return { p50: quantile(taken, 0.5), p99: quantile(taken, 0.99) };
  },
};

export const flight64 = { name: 'flight64', title: 'add, 64 in flight', run: (subject, window) => crowd(add, 64, subject, window) };
export const flight1024 = { name: 'flight1024', title: 'add, 1,024 in flight', run: (subject, window) => crowd(add, 1024, subject, window) };
export const object64 = { name: 'object64', title: 'echo 1 KB object, 64 in flight', run: (subject, window) => crowd(echo, 64, subject, window) };

/**
 * What a feature costs that is on or off. Compilers make code of different speed of the same source, some percent up or down for as long as
 * a program and its threads live, so this takes a new program each round, and in it several threads.
 */
export const overhead = {
  name: 'overhead', title: 'add, 64 in flight, in new programs', fresh: true, only: ({ name }) => /^mimas worker\/ipc(?: no .*)?$/.test(name), quick: () => false,
  async run({ system }, window) {
    const costs = [];
    for (let i = 0; i < 3; i++) {
      const api = await system.start();
      await inFlight((n) => add(api, n), 64, Infinity, RUN_IN);
      costs.push((await crowd(add, 64, { api, pids: familyOf() }, 2 * window)).cpu);
      await api.close();
    }
    return { cpu: median(costs) };
  },
};

export const object = {
  name: 'object', title: 'echo 1 KB object',
  async run({ api }, window) {
    await warm((i) => echo(api, i), window);
    return { p50: quantile(await oneByOne((i) => echo(api, i), window), 0.5) };
  },
};

export const copy = {
  name: 'copy', title: 'echo 1 MiB, copied', only: ({ binary }) => binary !== false,
  async run({ api }, window) {
    await oneByOne(() => api.echo(bytes), window / 5, 2);
    return { ms: quantile(await oneByOne(() => api.echo(bytes), window), 0.5) / 1000 };
  },
};

const moving = (name, title, size) => ({
  name, title, only: ({ moves }) => moves,
  async run({ api }, window) {
    let buffer = new Uint8Array(size);
    const call = async () => {
      buffer = await api.echoTransfer(buffer);
    };
    await oneByOne(call, window / 5, 2);
    return { ms: quantile(await oneByOne(call, window), 0.5) / 1000 };
  },
});

export const move = moving('move', 'echo 1 MiB, transferred', MIB);
export const moveLarge = moving('moveLarge', 'echo 16 MiB, transferred', 16 * MIB);

export const stream = {
  name: 'stream', title: 'stream of numbers', only: ({ streams }) => streams,
  async run({ api }, window) {
    // 100,000 items in a full run; a quick one must end, too.
    const items = window >= 200 ? 100_000 : 10_000;
    await api.stream(1000);
    const start = performance.now();
    const got = await api.stream(items);
    if (got !== items) throw new Error(`${got} of ${items} items came`);
    return { rate: (items * 1000) / (performance.now() - start) };
  },
};
