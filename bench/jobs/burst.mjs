// A million calls fired in one synchronous loop. The loop itself is the caller's; the figure is what happens to the event loop and
// to memory from then until the last answer.
import { peakMegabytes } from '../lib/proc.mjs';

const WANTED = new Set(['raw MessagePort', 'piscina 2048 a thread', 'mimas none/ipc', 'mimas worker/ipc', 'mimas child/ipc', 'mimas child/tcp', 'mimas child/ws']);

export const burst = {
  name: 'burst', title: '1,000,000 calls at once', fresh: true, slow: 1, quick: ({ name }) => name === 'mimas worker/ipc', only: ({ name }) => WANTED.has(name),
  async run({ system }, window) {
    const calls = window >= 200 ? 1_000_000 : 100_000;
    const api = await system.start();
    for (let i = 0; i < 2000; i++) await api.add(i, 1);
    let left = calls;
    let failed = 0;
    let first;
    const start = performance.now();
    const done = new Promise((resolve) => {
      const over = () => {
        if (--left === 0) resolve();
      };
      const fail = (error) => {
        failed++;
        first ??= error;
        over();
      };
      for (let i = 0; i < calls; i++) api.add(i, 1).then(over, fail);
    });
    const fired = performance.now();
    let block = 0;
    let last = performance.now();
    // Immediates run once a turn: the gap between two is how long the loop was held.
    let watching = true;
    const watch = () => {
      const now = performance.now();
      block = Math.max(block, now - last);
      last = now;
      if (watching) setImmediate(watch);
    };
    setImmediate(watch);
    await done;
    watching = false;
    const end = performance.now();
    if (first) console.error(`${system.name}: ${failed} of ${calls} failed: ${first.message}`);
    return { calls, fire: fired - start, block, total: end - start, peak: peakMegabytes(), failed };
  },
};
