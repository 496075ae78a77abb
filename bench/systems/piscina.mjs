// Piscina with one thread: as it comes (one task a thread at a time) and with many tasks a thread.
import { Piscina } from 'piscina';

const filename = new URL('../serve/piscina.mjs', import.meta.url).href;

function piscina(name, options, quick) {
  return {
    name, group: 'thread', kind: 'peer', quick,
    async start() {
      const pool = new Piscina({ filename, minThreads: 1, maxThreads: 1, ...options });
      return {
        add: (a, b) => pool.run([a, b], { name: 'add' }),
        echo: (x) => pool.run(x, { name: 'echo' }),
        echoTransfer: (bytes) => pool.run(bytes, { name: 'echoTransfer', transferList: [bytes.buffer] }),
        close: () => pool.destroy(),
      };
    },
  };
}

export const systems = [piscina('piscina', {}, false), piscina('piscina 2048 a thread', { concurrentTasksPerWorker: 2048 }, true)];
