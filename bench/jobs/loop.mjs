// What a busy or a sparse link does to its host: the delay of the caller's own timers, and the CPU of 1,000 calls a second.
import { inFlight, oneByOne } from '../lib/drive.mjs';
import { cpuMicros } from '../lib/proc.mjs';
import { quantile } from '../lib/stats.mjs';

/** Those that a target names, and what they are measured by. */
const WATCHED = /^mimas (?:worker.ipc|child.\w+)(?: low)?$|^raw (?:MessagePort|fork advanced|unix frames|tcp frames)$|^piscina 2048/;
/** What the timer takes that paces the calls: with a local function. */
const PACED = new RegExp(`${WATCHED.source}|^direct async call$`);

/** Delays of a timer of 1 ms, in ms, until `until` settles. */
async function timerDelays(until) {
  const delays = [];
  let over = false;
  until.then(() => (over = true));
  while (!over) {
    const start = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 1));
    delays.push(Math.max(0, performance.now() - start - 1));
  }
  return delays;
}

export const fairness = {
  name: 'fairness', title: 'delay of a 1 ms timer with 1,024 calls in flight', slow: 10_000, quick: ({ kind }) => kind === 'mimas', only: ({ name }) => WATCHED.test(name),
  async run({ api }, window) {
    await inFlight((i) => api.add(i, 1), 1024, 100);
    const busy = inFlight((i) => api.add(i, 1), 1024, window);
    const delays = await timerDelays(busy);
    const { calls, ms } = await busy;
    return { p50: quantile(delays, 0.5), p99: quantile(delays, 0.99), max: Math.max(...delays), rate: (calls * 1000) / ms };
  },
};

export const paced = {
  name: 'paced', title: '1,000 paced calls a second', slow: 5_000, quick: ({ kind }) => kind === 'mimas', only: ({ name }) => PACED.test(name),
  async run({ api, pids }, window) {
    await oneByOne((i) => api.add(i, 1), 50);
    const taken = [];
    const call = async (i) => {
      const start = performance.now();
      await api.add(i, 1);
      taken.push((performance.now() - start) * 1000);
    };
    const before = cpuMicros(pids);
    const start = performance.now();
    let sent = 0;
    await new Promise((resolve) => {
      // Timers slip; what is due is sent, so that there are 1,000 a second whatever the loop does.
      const timer = setInterval(() => {
        const due = Math.floor(performance.now() - start);
        while (sent < Math.min(due, window)) void call(sent++);
        if (due < window) return;
        clearInterval(timer);
        resolve();
      }, 1);
    });
    while (taken.length < sent) await new Promise((resolve) => setTimeout(resolve, 1));
    return { percent: (cpuMicros(pids) - before) / (performance.now() - start) / 10, p50: quantile(taken, 0.5) };
  },
};
