// The limit of Node's own child channel: one send per call, in either serialization.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Pending } from '../lib/pending.mjs';

function rawFork(name, serialization, more) {
  return {
    name, group: 'child', kind: 'raw', ...more,
    async start() {
      const child = fork(fileURLToPath(new URL('../serve/fork.mjs', import.meta.url)), { serialization });
      const pending = new Pending();
      child.on('message', ({ id, value }) => pending.settle(id, value));
      return {
        add: (a, b) => pending.call((id) => child.send({ id, kind: 'add', a, b })),
        echo: (a) => pending.call((id) => child.send({ id, kind: 'echo', a })),
        close: () => child.kill(),
      };
    },
  };
}

export const systems = [rawFork('raw fork advanced', 'advanced', { quick: true }), rawFork('raw fork json', 'json', { binary: false })];
