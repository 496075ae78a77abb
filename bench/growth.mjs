// `npm run bench:growth`: what one call costs against calls in flight (1 to 10,000) and against processes (1 to 500, threads as far as memory
// goes). The cost is CPU time of all threads per call, median of the rounds, sizes interleaved. Writes results/growth.json and the report,
// unless `--quick`.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { freemem } from 'node:os';
import { parseArgs } from 'node:util';
import { inFlight } from './lib/drive.mjs';
import { buildIfStale } from './lib/peers.mjs';
import { cpuMicros, familyOf } from './lib/proc.mjs';
import { median, short } from './lib/stats.mjs';
import { toText } from './lib/table.mjs';

const { values: options } = parseArgs({ options: { quick: { type: 'boolean' } } });
buildIfStale();
const { createProcessManager } = await import('../dist/index.js');
const file = new URL('./serve/mimas.process.js', import.meta.url);
const ROUNDS = options.quick ? 3 : 5;
const WINDOW = options.quick ? 100 : 400;
const WIDTHS = [1, 4, 16, 64, 256, 1024, 4096, 10_000];
const COUNTS = options.quick ? [1, 2, 5, 10, 20, 50] : [1, 2, 5, 10, 20, 50, 100, 200, 500];
const EACH = 16;
/** Calls of each process before it is measured. */
const RUN_IN = 10_000;
/** What a thread may take, with room to spare. */
const THREAD_BYTES = 16 * 2 ** 20;
const cells = [['none', 'ipc'], ['worker', 'ipc'], ['child', 'ipc']];
const results = { date: new Date().toISOString().slice(0, 10), inFlight: {}, processes: {} };

for (const [isolation, transport] of cells) {
  const pm = createProcessManager({ isolation, transport });
  const proxy = await pm.spawn(file);
  results.inFlight[`${isolation}/${transport}`] = await costs(WIDTHS, (width) => [(i) => proxy.add(i, 1), width]);
  await pm.shutdown();
}
for (const isolation of ['none', 'worker']) {
  const pm = createProcessManager({ isolation, output: 'capture' });
  const proxies = [];
  const room = isolation === 'worker' ? Math.floor(freemem() / 2 / THREAD_BYTES) : Infinity;
  // Sizes only grow, so rounds of one size stand together here.
  const points = {};
  for (const count of COUNTS.filter((wanted) => wanted <= room)) {
    const fresh = proxies.length;
    while (proxies.length < count) proxies.push(...(await Promise.all(Array.from({ length: Math.min(4, count - proxies.length) }, () => pm.spawn(file)))));
    // Each thread compiles for itself: what is measured is a call, not the compiler.
    for (const proxy of proxies.slice(fresh)) await inFlight((i) => proxy.add(i, 1), EACH, Infinity, RUN_IN);
    Object.assign(points, await costs([count], () => [(i, lane) => proxies[lane % count].add(i, 1), EACH * count]));
    console.error(`${isolation}: ${count} processes: ${short(points[count])} µs a call`);
  }
  results.processes[isolation] = points;
  await pm.shutdown();
}

for (const [title, series] of [['calls in flight', results.inFlight], ['processes', results.processes]]) {
  const counts = Object.keys(Object.values(series)[0]);
  console.log(`\n${toText({ title: `µs of CPU a call against ${title}`, head: ['', ...counts], rows: Object.entries(series).map(([name, points]) => [name, ...counts.map((count) => short(points[count]))]) })}`);
}
mkdirSync(new URL('./results/', import.meta.url), { recursive: true });
if (!options.quick) writeFileSync(new URL('./results/growth.json', import.meta.url), `${JSON.stringify(results, (_, value) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value))}\n`);
if (!options.quick && existsSync(new URL('./results/latest.json', import.meta.url))) (await import('./report.mjs')).writeReport();
process.exit(0);

/** CPU microseconds per call at each size. */
async function costs(sizes, prepare) {
  const pids = familyOf();
  const taken = Object.fromEntries(sizes.map((size) => [size, []]));
  const [run] = prepare(sizes[0]);
  await inFlight(run, 64, WINDOW);
  for (let round = 0; round < ROUNDS; round++) {
    for (const size of sizes) {
      const [call, width] = prepare(size);
      await inFlight(call, width, WINDOW / 4);
      const before = cpuMicros(pids);
      const { calls } = await inFlight(call, width, WINDOW);
      taken[size].push((cpuMicros(pids) - before) / calls);
    }
  }
  return Object.fromEntries(sizes.map((size) => [size, median(taken[size])]));
}
