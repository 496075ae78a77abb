// Comlink over a worker thread.
import { Worker } from 'node:worker_threads';
import { transfer, wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';

export const systems = [
  {
    name: 'comlink', group: 'thread', kind: 'peer', quick: true,
    async start() {
      const worker = new Worker(new URL('../serve/comlink.mjs', import.meta.url));
      const remote = wrap(nodeEndpoint(worker));
      return { add: (a, b) => remote.add(a, b), echo: (x) => remote.echo(x), echoTransfer: (bytes) => remote.echoTransfer(transfer(bytes, [bytes.buffer])), close: () => worker.terminate() };
    },
  },
];
