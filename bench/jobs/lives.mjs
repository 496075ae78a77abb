// Starts and sizes: in a fresh process, where only the system's own modules are loaded.
import { pause } from '../lib/drive.mjs';
import { familyOf, privateMegabytes } from '../lib/proc.mjs';

const timed = async (work) => {
  const start = performance.now();
  const result = await work();
  return [performance.now() - start, result];
};

export const start = {
  name: 'start', title: 'start to first reply', fresh: true, quick: ({ name }) => /^raw (?:Mess|fork)|^mimas (?:worker|child).ipc$/.test(name),
  async run({ system }) {
    const opened = [];
    const once = async () => {
      const api = await system.start();
      opened.push(api);
      await api.add(1, 2);
    };
    const [first] = await timed(once);
    // What the first start imported lazily is there now.
    const again = [];
    for (let i = 0; i < (first > 1000 ? 0 : 2); i++) again.push((await timed(once))[0]);
    return { first, again: Math.min(...again) };
  },
};

/** The time in which a pool grows by a process that stands ready. */
export const spare = {
  name: 'spare', title: 'warm spare to first reply', fresh: true, only: ({ spawnOptions, name }) => spawnOptions && / (?:worker|child)\/ipc$/.test(name),
  async run({ system: { spawnOptions, processFile } }) {
    const { createProcessManager } = await import('../../dist/index.js');
    const pm = createProcessManager(spawnOptions);
    const pool = await pm.pool(processFile, { size: 1, spares: 1, strategy: 'round-robin' });
    while (pool.$handle.spares < 1) await pause(5);
    await pool.add(1, 2);
    const [ms] = await timed(async () => {
      await pool.$handle.scale(2);
      await Promise.all([pool.add(1, 2), pool.add(1, 2)]);
    });
    return { ms };
  },
};

/** Private memory that one more worker adds to this process and its children. */
export const memory = {
  name: 'memory', title: 'private memory', fresh: true, slow: 1, only: ({ group, name }) => group !== 'in-process' && name !== 'moleculer tcp', quick: ({ kind, group }) => kind !== 'peer' && group === 'thread',
  async run({ system }, window) {
    const MORE = window >= 200 ? 6 : 3;
    const open = async () => {
      const api = await system.start();
      for (let i = 0; i < 20; i++) await api.add(i, 1);
      return api;
    };
    const settle = async () => {
      await pause(250);
      globalThis.gc?.();
      return privateMegabytes(familyOf());
    };
    await open();
    const one = await settle();
    for (let i = 0; i < MORE; i++) await open();
    return { mb: ((await settle()) - one) / MORE };
  },
};
