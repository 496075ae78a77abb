// `npm run soak -- --minutes 10 [--seed n]`: everything at once under faults, every answer checked, every execution in the ledger; and heap,
// descriptors and processes back at the end. Text goes to stderr, the figures as JSON to stdout. Exit code 1 on any violation.
import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { registerTypeScript } from '../dist/runtime/typescript.js';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string' } } });
const minutes = Number(values.minutes);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
if (!(minutes > 0) || !Number.isInteger(seed)) {
  console.error('usage: npm run soak -- --minutes 10 [--seed 1]');
  process.exit(2);
}

const engine = fileURLToPath(new URL('../test/ledger/run.ts', import.meta.url));
await registerTypeScript(engine);
const { run } = await import(engine);

/** What was loaded and compiled the first time stays. */
const WARM_UP_MS = 8_000;
const ROUND_MS = 15_000;
const MAX_GROWTH = 24 * 1024 * 1024;
const BACK_WITHIN_MS = 15_000;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
const say = (text) => process.stderr.write(`${text}\n`);
const mb = (bytes) => Math.round(bytes / 1024 / 102.4) / 10;

async function heap() {
  // What finalizers let go is collected the next time.
  for (let i = 0; i < 3; i++) {
    collect();
    await sleep(50);
  }
  return process.memoryUsage().heapUsed;
}

/** Node 20 leaves the file of a module open when a thread is terminated while it loads it; later ones do not. */
const LEAVES_MODULES = Number(process.versions.node.split('.')[0]) < 22;

/** What each open descriptor is; the one that reads the folder is among them. */
function descriptors() {
  const all = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return 'the folder of descriptors';
    }
  });
  return LEAVES_MODULES ? all.filter((one) => !/\.[cm]?[jt]s$/.test(one)) : all;
}

/** Those of `now` that are not in `then`, each as often as it is new. */
function opened(then, now) {
  const old = [...then];
  return now.filter((one) => {
    const at = old.indexOf(one);
    if (at >= 0) old.splice(at, 1);
    return at < 0;
  });
}

/** Processes that were started here, or hold a file of a ledger open. */
function processes() {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid).filter((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`).includes('/mimas-ledger-'));
    } catch {
      return false;
    }
  }).length;
}

/** Looks until `read` is at most `limit`. */
async function settle(read, limit) {
  const end = performance.now() + BACK_WITHIN_MS;
  let now = await read();
  while (now > limit && performance.now() < end) {
    await sleep(200);
    now = await read();
  }
  return now;
}

say(`soak of ${minutes} min, seed ${seed}`);
const warm = await run({ seed: seed + 1, ms: WARM_UP_MS });
const before = { heap: await heap(), open: descriptors(), processes: processes() };
before.descriptors = before.open.length;
const report = await run({
  seed,
  ms: minutes * 60_000,
  round: ROUND_MS,
  onRound: ({ calls, executions, longest }) => say(`  ${calls} calls, ${executions} executions, longest ${Math.round(longest)} ms, heap ${mb(process.memoryUsage().heapUsed)} MB`),
});
let open = before.open;
const counted = () => (open = descriptors()).length;
const after = { heap: await settle(heap, before.heap + MAX_GROWTH), descriptors: await settle(counted, before.descriptors), processes: await settle(processes, 0) };

const violations = [...warm.violations, ...report.violations];
if (after.heap > before.heap + MAX_GROWTH) violations.push(`heap: ${mb(before.heap)} MB before, ${mb(after.heap)} MB after`);
if (after.descriptors > before.descriptors) violations.push(`descriptors: ${before.descriptors} before, ${after.descriptors} after: ${opened(before.open, open).join(', ')}`);
if (after.processes > 0) violations.push(`${after.processes} processes are left`);

const { figures, faults } = report;
const count = Object.values(faults).reduce((sum, n) => sum + n, 0);
say(`${figures.calls} calls in ${report.seconds} s: ${figures.successes} answered, ${figures.thrown} threw as asked, ${figures.givenUp} given up by their caller; ${figures.executions} executions`);
say(`${count} faults: ${Object.entries(faults).map(([name, n]) => `${name} ${n}`).join(', ')}`);
say('errors, by what they say of the method:      may have run    never ran');
for (const [code, { true: maybe, false: never }] of Object.entries(figures.errors).sort()) say(`  ${code.padEnd(40)}${String(maybe).padStart(14)}${String(never).padStart(13)}`);
say(`longest call ${Math.round(figures.longest)} ms (${figures.longestOf})`);
say(`heap ${mb(before.heap)} → ${mb(after.heap)} MB, descriptors ${before.descriptors} → ${after.descriptors}, processes ${before.processes} → ${after.processes}`);
for (const violation of violations.slice(0, 50)) say(`VIOLATION ${violation}`);
say(violations.length === 0 ? 'no violation' : `${violations.length} violations`);
console.log(JSON.stringify({ ...report, before, after, violations }, null, 2));
process.exit(violations.length === 0 ? 0 : 1);
