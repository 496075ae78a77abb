// The limit of a socket used the plain way: one msgpackr frame and one write per call.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from '../lib/child.mjs';
import { readFrames, writeFrame } from '../lib/frames.mjs';
import { Pending, Tally } from '../lib/pending.mjs';

function rawSocket(name, transport, quick) {
  return {
    name, group: 'socket', kind: 'raw', quick,
    async start() {
      const folder = transport === 'unix' ? mkdtempSync(join(tmpdir(), 'mimas-bench-')) : undefined;
      const { port, child } = await startServer('socket.mjs', [folder ? join(folder, 's') : '0']);
      const socket = folder ? connect({ path: port }) : connect({ host: '127.0.0.1', port, noDelay: true });
      await once(socket, 'connect');
      const pending = new Pending();
      const tally = new Tally();
      readFrames(socket, ([id, value]) => (id === 0 ? tally.item() : pending.settle(id, value)));
      return {
        add: (a, b) => pending.call((id) => writeFrame(socket, [id, 0, a, b])),
        echo: (a) => pending.call((id) => writeFrame(socket, [id, 1, a])),
        stream(n) {
          const counted = tally.expect(n);
          writeFrame(socket, [0, 2, n]);
          return counted;
        },
        close() {
          socket.destroy();
          child.kill();
          if (folder) rmSync(folder, { recursive: true, force: true });
        },
      };
    },
  };
}

export const systems = [rawSocket('raw tcp frames', 'tcp', true), rawSocket('raw unix frames', 'unix', false)];
