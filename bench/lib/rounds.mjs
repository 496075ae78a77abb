// Runs jobs over systems in interleaved rounds: within a round every system does the job right after the others, so that what drifts
// (clock speed, neighbours, temperature) hits all of them, and ratios are taken within a round.
import { Host, runFresh } from './hosts.mjs';

/** Figures per system, job and metric, one value a round: `figures[system][job][metric][round]`. */
export class Record {
  figures = {};

  add(system, job, round, values) {
    const metrics = ((this.figures[system] ??= {})[job] ??= {});
    for (const [metric, value] of Object.entries(values)) (metrics[metric] ??= [])[round] = value;
  }
}

/**
 * @param plan `{ systems, jobs, rounds, slowRounds, window, slowWindow, runIn, quick, deadline, say }`; jobs after `deadline` (epoch ms) are left out and named.
 * @returns {Promise<{ record: Record, left: string[], broken: string[] }>}
 */
export async function runRounds({ systems, jobs, rounds, slowRounds, window, slowWindow, runIn, quick = false, deadline = Infinity, say = () => {} }) {
  const record = new Record();
  const hosts = new Map();
  const broken = new Map();
  const left = new Set();
  const names = new Set(systems.map(({ name }) => name));
  say(`starting ${names.size} systems`);
  try {
    if (jobs.some(({ fresh }) => !fresh)) {
      await eachOf(systems, 4, async (system) => {
        try {
          hosts.set(system.name, await Host.open(system));
        } catch (error) {
          broken.set(system.name, error.message);
        }
      });
    }
    for (const [name, host] of hosts) {
      say(`running in ${name}`);
      await host.run('run-in', runIn).catch((error) => broken.set(name, `run-in: ${error.message}`));
    }
    const attempt = async (system, job, round) => {
      const host = hosts.get(system.name);
      if (broken.has(system.name) || (job.only && !job.only({ ...system, ...host?.facts })) || (quick && job.quick && !job.quick(system))) return;
      const span = job.slow ? Math.min(job.slow === 1 ? window : job.slow, slowWindow) : window;
      try {
        record.add(system.name, job.name, round, job.fresh ? await runFresh(system, job.name, window) : await host.run(job.name, span));
      } catch (error) {
        broken.set(system.name, `${job.name}: ${error.message}`);
        say(`${system.name}: ${job.name} failed: ${error.message}`);
      }
    };
    // The short jobs of all rounds come first: should the time run out, they are whole.
    const stages = [jobs.filter(({ slow, fresh }) => !slow && !fresh), jobs.filter(({ slow, fresh }) => !slow && fresh), jobs.filter(({ slow }) => slow)];
    for (const [stage, stageJobs] of stages.entries()) {
      for (let round = 0; round < (stage === 0 ? rounds : slowRounds[stage - 1]); round++) {
        for (const job of stageJobs) {
          if (Date.now() > deadline) {
            left.add(job.name);
            continue;
          }
          say(`round ${round + 1}: ${job.title}`);
          // Every other round runs backwards, so that nobody always follows the same neighbour.
          for (const system of round % 2 === 0 ? systems : [...systems].reverse()) if (Date.now() <= deadline + 5000) await attempt(system, job, round);
        }
      }
    }
  } finally {
    await Promise.all([...hosts.values()].map((host) => host.close()));
  }
  return { record, left: [...left], broken: [...broken].map(([name, why]) => `${name}: ${why}`) };
}

async function eachOf(items, width, work) {
  const queue = [...items];
  await Promise.all(Array.from({ length: width }, async () => {
    for (let item = queue.shift(); item; item = queue.shift()) await work(item);
  }));
}
