// Birpc over a worker thread, and over a WebSocket with JSON.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createBirpc } from 'birpc';
import { WebSocket } from 'ws';
import { startServer } from '../lib/child.mjs';

export const systems = [
  {
    name: 'birpc', group: 'thread', kind: 'peer',
    async start() {
      const worker = new Worker(new URL('../serve/birpc.mjs', import.meta.url));
      const rpc = createBirpc({}, { post: (data) => worker.postMessage(data), on: (receive) => worker.on('message', receive) });
      return { add: (a, b) => rpc.add(a, b), echo: (x) => rpc.echo(x), close: () => worker.terminate() };
    },
  },
  {
    name: 'birpc ws json', group: 'socket', kind: 'peer', binary: false, quick: true,
    async start() {
      const { port, child } = await startServer('birpc-ws.mjs');
      const socket = new WebSocket(`ws://127.0.0.1:${port}`);
      await once(socket, 'open');
      const rpc = createBirpc({}, { post: (text) => socket.send(text), on: (receive) => socket.on('message', receive), serialize: JSON.stringify, deserialize: (text) => JSON.parse(text) });
      return { add: (a, b) => rpc.add(a, b), echo: (x) => rpc.echo(x), close: () => (socket.terminate(), child.kill()) };
    },
  },
];
