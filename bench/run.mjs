// `npm run bench`: Mimas beside its peers and the raw limits, in interleaved rounds. Prints tables with ratios and targets; a full run
// writes results/latest.json and docs/performance.md with its charts.
// Options: --quick (within 60 s, representative systems, writes results/quick.json only), --rounds n, --only text[,text] (systems whose
// name contains one of them; nothing is written), --jobs name[,name], --window ms and --slow-window ms (how long a job is measured),
// --merge (what --only and --jobs measure takes its place in results/latest.json: for a job that is new).
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { describeMachine } from './lib/machine.mjs';
import { buildIfStale, installPeers } from './lib/peers.mjs';
import { tablesOf, targetTable, toText } from './lib/table.mjs';
import { judge } from './lib/targets.mjs';

const began = Date.now();
const QUICK_LIMIT = 60_000;
/** What ending all systems takes at most. */
const QUICK_MARGIN = 11_000;

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean' }, rounds: { type: 'string' }, only: { type: 'string' }, jobs: { type: 'string' }, window: { type: 'string' }, 'slow-window': { type: 'string' }, merge: { type: 'boolean' } },
});
installPeers();
buildIfStale();
// Later than the build, for they import what it makes.
const { JOBS } = await import('./jobs/index.mjs');
const { listSystems } = await import('./systems/index.mjs');
const { runRounds } = await import('./lib/rounds.mjs');

const load = loadavg()[0];
if (load > 0.5 * availableParallelism()) console.error(`other programs keep this machine busy (load ${load.toFixed(1)}): take the figures with a grain of salt`);
const quick = options.quick ?? false;
const wanted = options.only?.split(',');
const wantedJobs = options.jobs?.split(',');
const systems = (await listSystems()).filter(({ name, quick: short }) => (wanted ? wanted.some((text) => name.includes(text)) : !quick || short));
const jobs = JOBS.filter(({ name }) => !wantedJobs || wantedJobs.includes(name));
if (systems.length === 0 || jobs.length === 0) throw new Error('no system or no job of that name');
const rounds = Number(options.rounds ?? (quick ? 3 : 5));
const plan = quick
  ? { rounds, slowRounds: [1, 1], window: Number(options.window ?? 20), slowWindow: 600, runIn: 15_000, quick, deadline: began + QUICK_LIMIT - QUICK_MARGIN }
  : { rounds, slowRounds: [Math.min(5, rounds), Math.min(3, rounds)], window: Number(options.window ?? 200), slowWindow: Number(options['slow-window'] ?? 10_000), runIn: 150_000 };
const { record, left, broken } = await runRounds({ ...plan, systems, jobs, say: progress });
progress('');

const tables = tablesOf(systems, record.figures);
const judged = judge(record.figures);
for (const table of [...tables, targetTable(judged)]) console.log(`\n${toText(table)}`);
console.log(`\n${judged.filter(({ met }) => met).length} of ${judged.length} targets met; ${rounds} rounds, ${((Date.now() - began) / 1000).toFixed(0)} s`);
if (left.length > 0) console.log(`the time ran out: ${left.join(', ')}`);
for (const line of broken) console.log(`failed: ${line}`);

if (options.merge) {
  const file = new URL('./results/latest.json', import.meta.url);
  const results = JSON.parse(readFileSync(file, 'utf8'));
  for (const [name, measured] of Object.entries(record.figures)) results.figures[name] = { ...results.figures[name], ...measured };
  for (const { name, group, kind } of systems) if (!results.systems.some((known) => known.name === name)) results.systems.push({ name, group, kind });
  results.remeasured = [...new Set([...(results.remeasured ?? []), ...jobs.map(({ title }) => title)])];
  writeResults(file, results);
  (await import('./report.mjs')).writeReport();
} else if (!wanted && !wantedJobs) {
  const results = { date: new Date().toISOString().slice(0, 10), quick, rounds, window: plan.window, load: Number(load.toFixed(2)), machine: describeMachine(), systems: systems.map(({ name, group, kind }) => ({ name, group, kind })), figures: record.figures, left, broken };
  const folder = new URL('./results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  writeResults(new URL(quick ? 'quick.json' : 'latest.json', folder), results);
  if (!quick) (await import('./report.mjs')).writeReport();
}
process.exit(0);

function writeResults(file, results) {
  writeFileSync(file, `${JSON.stringify(results, (_, value) => (typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value))}\n`);
}

function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}
