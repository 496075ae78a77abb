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
 * @param plan `{ systems, jobs, rounds, slowRounds, window, slowWindow, runIn, quick, deadline, say }`; what is not done by `deadline` (epoch ms) is named in `left`;
 * `runIn` is in calls, windows are in ms.
 * @returns {Promise<{ record: Record, left: string[], broken: string[] }>}
 */
export async function runRounds({ systems, jobs, rounds, slowRounds, window, slowWindow, runIn, quick = false, deadline = Infinity, say = () => {} }) {
  const record = new Record();
  const hosts = new Map();
  const broken = new Map();
  const left = new Map();
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
      if (broken.has(system.name) || (system.jobs && !system.jobs.includes(job.name)) || (job.only && !job.only({ ...system, ...host?.facts })) || (quick && job.quick && !job.quick(system))) return;
      const span = job.slow ? Math.min(job.slow === 1 ? window : job.slow, slowWindow) : window;
      try {
        record.add(system.name, job.name, round, job.fresh ? await runFresh(system, job.name, window) : await host.run(job.name, span));
      } catch (error) {
        broken.set(system.name, `${job.name}: ${error.message}`);
        say(`${system.name}: ${job.name} failed: ${error.message}`);
      }
    };
    // Every job has its first round before any has its second: should the time run out, medians are of fewer rounds, but nothing is missing.
    const stages = [
      { rounds, jobs: jobs.filter(({ slow, fresh }) => !slow && !fresh) },
      { rounds: slowRounds[0], jobs: jobs.filter(({ slow, fresh }) => !slow && fresh) },
      { rounds: slowRounds[1], jobs: jobs.filter(({ slow }) => slow) },
    ];
    for (let round = 0; round < rounds; round++) {
      for (const stage of stages) {
        if (round >= stage.rounds) continue;
        for (const job of stage.jobs) {
          if (Date.now() > deadline) {
            if (!left.has(job.name)) left.set(job.name, `${job.name} (${round} of ${stage.rounds} rounds)`);
            continue;
          }
          say(`round ${round + 1}: ${job.title}`);
          // Every other round runs backwards, so that nobody always follows the same neighbour.
          for (const system of round % 2 === 0 ? systems : [...systems].reverse()) if (Date.now() <= deadline + 2000) await attempt(system, job, round);
        }
      }
    }
  } finally {
    await Promise.all([...hosts.values()].map((host) => host.close()));
  }
  return { record, left: [...left.values()], broken: [...broken].map(([name, why]) => `${name}: ${why}`) };
}

async function eachOf(items, width, work) {
  const queue = [...items];
  await Promise.all(Array.from({ length: width }, async () => {
    for (let item = queue.shift(); item; item = queue.shift()) await work(item);
  }));
}
