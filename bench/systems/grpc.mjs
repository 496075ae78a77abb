// @grpc/grpc-js over TCP, with typed messages.
import { credentials } from '@grpc/grpc-js';
import { startServer } from '../lib/child.mjs';
import { Work } from '../lib/grpc.mjs';

export const systems = [
  {
    name: 'grpc-js', group: 'socket', kind: 'peer', quick: true,
    async start() {
      const { port, child } = await startServer('grpc.mjs');
      const client = new Work(`127.0.0.1:${port}`, credentials.createInsecure());
      const call = (method, request, pick) => new Promise((resolve, reject) => client[method](request, (error, reply) => (error ? reject(error) : resolve(pick(reply)))));
      const value = (reply) => reply.value;
      return {
        add: (a, b) => call('Add', { a, b }, value),
        echo: (x) => (x instanceof Uint8Array ? call('EchoBytes', { value: x }, value) : call('Echo', x, (reply) => reply)),
        async stream(n) {
          let count = 0;
          for await (const _ of client.Count({ value: n })) count++;
          return count;
        },
        close: () => (client.close(), child.kill()),
      };
    },
  },
];
