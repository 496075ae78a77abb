// Tinypool with one thread: as it comes, and with many tasks a thread.
import { Tinypool } from 'tinypool';

const filename = new URL('../serve/pool.mjs', import.meta.url).href;

function tinypool(name, options, quick) {
  return {
    name, group: 'thread', kind: 'peer', quick,
    async start() {
      const pool = new Tinypool({ filename, minThreads: 1, maxThreads: 1, ...options });
      return { add: (a, b) => pool.run([a, b], { name: 'add' }), echo: (x) => pool.run(x, { name: 'echo' }), close: () => pool.destroy() };
    },
  };
}

export const systems = [tinypool('tinypool', {}, false), tinypool('tinypool 2048 a thread', { concurrentTasksPerWorker: 2048 }, false)];
