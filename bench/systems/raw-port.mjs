// The limit between threads: one postMessage per call, nothing else.
import { Worker } from 'node:worker_threads';
import { Pending, Tally } from '../lib/pending.mjs';

export const systems = [
  {
    name: 'raw MessagePort', group: 'thread', kind: 'raw', quick: true,
    async start() {
      const worker = new Worker(new URL('../serve/port.mjs', import.meta.url));
      const pending = new Pending();
      const tally = new Tally();
      worker.on('message', (message) => (typeof message === 'number' ? tally.item() : pending.settle(message.id, message.value)));
      return {
        add: (a, b) => pending.call((id) => worker.postMessage({ id, kind: 'add', a, b })),
        echo: (a) => pending.call((id) => worker.postMessage({ id, kind: 'echo', a })),
        echoTransfer: (a) => pending.call((id) => worker.postMessage({ id, kind: 'move', a }, [a.buffer])),
        stream(n) {
          const counted = tally.expect(n);
          worker.postMessage({ id: 0, kind: 'stream', a: n });
          return counted;
        },
        close: () => worker.terminate(),
      };
    },
  },
];
