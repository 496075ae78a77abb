// `npm run bench:growth`: what one call costs against calls in flight (1 to 10,000) and against processes (1 to 500, threads as far as memory
// goes). The cost is CPU time of all threads per call, median of the rounds, sizes interleaved. Writes results/growth.json and the report,
// unless `--quick`.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { freemem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { inFlight } from './lib/drive.mjs';
import { buildIfStale } from './lib/peers.mjs';
import { cpuMicros, familyOf } from './lib/proc.mjs';
import { median, short } from './lib/stats.mjs';
import { toText } from './lib/table.mjs';
import { loadSystems } from './systems/index.mjs';

const { values: options } = parseArgs({ options: { quick: { type: 'boolean' }, 'young-generation': { type: 'boolean' } } });
buildIfStale();
const { createProcessManager } = await import('../dist/index.js');
const file = new URL('./serve/mimas.process.js', import.meta.url);
const ROUNDS = options.quick ? 3 : 5;
const WINDOW = options.quick ? 100 : 400;
const WIDTHS = [1, 4, 16, 64, 256, 1024, 4096, 10_000];
const COUNTS = options.quick ? [1, 2, 5, 10, 20, 50] : [1, 2, 5, 10, 20, 50, 100, 200, 500];
const EACH = 16;
/** Calls of each process before it is measured: every thread compiles for itself, and is far from its best after ten thousand. */
const RUN_IN = { none: 10_000, worker: options.quick ? 20_000 : 100_000, 'raw MessagePort': 20_000 };
/** What a thread may take, with room to spare. */
const THREAD_BYTES = 16 * 2 ** 20;
/** What is alive survives each collection of the young generation, and is copied by it: with thousands of calls under way that is most of its work. */
const SEMI_SPACE = '--max-semi-space-size=64';
const cells = [['none', 'ipc'], ['worker', 'ipc'], ['child', 'ipc']];
const results = { date: new Date().toISOString().slice(0, 10), inFlight: {}, processes: {} };

// Asked by itself, below: the costs of one cell in a program with a larger young generation.
if (options['young-generation']) {
  process.stdout.write(JSON.stringify(await costsInFlight('worker', 'ipc')));
  process.exit(0);
}
for (const [isolation, transport] of cells) results.inFlight[`${isolation}/${transport}`] = await costsInFlight(isolation, transport);
results.inFlight[`worker/ipc ${SEMI_SPACE}`] = JSON.parse(execFileSync(process.execPath, [SEMI_SPACE, fileURLToPath(import.meta.url), '--young-generation', ...(options.quick ? ['--quick'] : [])], { encoding: 'utf8' }));
const subjects = {
  none: () => openWith({ isolation: 'none' }),
  worker: () => openWith({ isolation: 'worker', output: 'capture' }),
  // The limit: what many threads cost whoever calls them.
  'raw MessagePort': async () => ({ open: (await loadSystems('raw-port'))[0].start }),
};
for (const [name, start] of Object.entries(subjects)) {
  const { open, close } = await start();
  const opened = [];
  const room = name === 'none' ? Infinity : Math.floor(freemem() / 2 / THREAD_BYTES);
  // Sizes only grow, so rounds of one size stand together here.
  const points = {};
  for (const count of COUNTS.filter((wanted) => wanted <= room)) {
    const fresh = opened.length;
    while (opened.length < count) opened.push(...(await Promise.all(Array.from({ length: Math.min(4, count - opened.length) }, open))));
    for (const one of opened.slice(fresh)) await inFlight((i) => one.add(i, 1), EACH, Infinity, RUN_IN[name]);
    Object.assign(points, await costs([count], () => [(i, lane) => opened[lane % count].add(i, 1), EACH * count]));
    console.error(`${name}: ${count} processes: ${short(points[count])} µs a call`);
  }
  results.processes[name] = points;
  await (close?.() ?? Promise.all(opened.map((one) => one.close())));
}

for (const [title, series] of [['calls in flight', results.inFlight], ['processes', results.processes]]) {
  const counts = Object.keys(Object.values(series)[0]);
  console.log(`\n${toText({ title: `µs of CPU a call against ${title}`, head: ['', ...counts], rows: Object.entries(series).map(([name, points]) => [name, ...counts.map((count) => short(points[count]))]) })}`);
}
mkdirSync(new URL('./results/', import.meta.url), { recursive: true });
if (!options.quick) writeFileSync(new URL('./results/growth.json', import.meta.url), `${JSON.stringify(results, (_, value) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value))}\n`);
if (!options.quick && existsSync(new URL('./results/latest.json', import.meta.url))) (await import('./report.mjs')).writeReport();
process.exit(0);

async function costsInFlight(isolation, transport) {
  const pm = createProcessManager({ isolation, transport });
  const proxy = await pm.spawn(file);
  const points = await costs(WIDTHS, (width) => [(i) => proxy.add(i, 1), width]);
  await pm.shutdown();
  return points;
}

function openWith(spawnOptions) {
  const pm = createProcessManager(spawnOptions);
  return { open: () => pm.spawn(file), close: () => pm.shutdown() };
}

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
