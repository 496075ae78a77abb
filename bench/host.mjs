// A measured process: it imports one system, and does the jobs it is told, one at a time. It ends with the runner.
// Arguments: file of the system, its name, `fresh` when the job starts the system itself.
import { isDeepStrictEqual } from 'node:util';
import { JOBS } from './jobs/index.mjs';
import { inFlight, oneByOne } from './lib/drive.mjs';
import { familyOf } from './lib/proc.mjs';
import { nested } from './lib/work.mjs';
import { loadSystems } from './systems/index.mjs';

const [file, name, mode] = process.argv.slice(2);
const system = (await loadSystems(file)).find((candidate) => candidate.name === name);
const subject = { system };
const facts = {};
if (mode !== 'fresh') {
  subject.api = await system.start();
  await check(subject.api);
  subject.pids = familyOf();
  Object.assign(facts, { moves: subject.api.echoTransfer !== undefined, streams: subject.api.stream !== undefined });
}
process.on('message', async ({ job, window }) => {
  try {
    if (job === 'run-in') {
      await runIn(subject.api, window);
      process.send({ figures: {} });
      return;
    }
    process.send({ figures: await JOBS.find((candidate) => candidate.name === job).run(subject, window) });
  } catch (error) {
    process.send({ error: String(error?.stack ?? error) });
  }
});
process.on('disconnect', async () => {
  setTimeout(() => process.exit(0), 2000).unref();
  await subject.api?.close?.();
  process.exit(0);
});
process.send({ ready: facts });

/** Compilers take some ten thousand calls to reach full speed; what is measured is a program that has been up for a while. */
async function runIn(api, calls) {
  // A slow system, or one on a busy machine, gets the time of a fast one several times over, but no more.
  const limit = calls / 50;
  await inFlight((i) => api.add(i, 1), 64, limit, calls);
  await inFlight((i) => api.echo(nested(i & 63)), 64, limit / 2, calls / 4);
  await oneByOne((i) => api.add(i, 1), limit / 8);
}

/** A system that answers wrongly would win. */
async function check(api) {
  if ((await api.add(2, 3)) !== 5) throw new Error(`${name}: 2 + 3 is not 5`);
  const value = nested(1);
  const back = await api.echo(value);
  if (!isDeepStrictEqual(JSON.parse(JSON.stringify(back)), value)) throw new Error(`${name}: the echo differs`);
}
