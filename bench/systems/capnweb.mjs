// Capnweb over a WebSocket.
import { once } from 'node:events';
import { newWebSocketRpcSession } from 'capnweb';
import { WebSocket } from 'ws';
import { startServer } from '../lib/child.mjs';

// It compares with the global's constants, which Node 20 does not have.
globalThis.WebSocket ??= WebSocket;

export const systems = [
  {
    name: 'capnweb ws', group: 'socket', kind: 'peer',
    async start() {
      const { port, child } = await startServer('capnweb-ws.mjs');
      const socket = new WebSocket(`ws://127.0.0.1:${port}`);
      await once(socket, 'open');
      const stub = newWebSocketRpcSession(socket);
      return { add: (a, b) => stub.add(a, b), echo: (x) => stub.echo(x), close: () => (socket.terminate(), child.kill()) };
    },
  },
];
