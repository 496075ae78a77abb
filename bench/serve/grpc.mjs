// Server side of grpc-js.
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { listening } from '../lib/child.mjs';
import { Work } from '../lib/grpc.mjs';
import { add } from '../lib/work.mjs';

const server = new Server();
server.addService(Work.service, {
  Add: ({ request }, reply) => reply(null, { value: add(request.a, request.b) }),
  Echo: ({ request }, reply) => reply(null, request),
  EchoBytes: ({ request }, reply) => reply(null, request),
  async Count(call) {
    for (let i = 1; i <= call.request.value; i++) if (!call.write({ value: i })) await new Promise((resolve) => call.once('drain', resolve));
    call.end();
  },
});
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  listening(port);
});
