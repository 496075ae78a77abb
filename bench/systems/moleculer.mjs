// Moleculer over its TCP transporter (JSON).
import { startServer } from '../lib/child.mjs';
import { freePort } from '../lib/free-port.mjs';
import { createBroker } from '../lib/moleculer.mjs';

export const systems = [
  {
    name: 'moleculer tcp', group: 'socket', kind: 'peer', binary: false, quick: true,
    async start() {
      const own = await freePort();
      const server = await freePort();
      const broker = createBroker('client', own, [`tcp://127.0.0.1:${server}/server`, `tcp://127.0.0.1:${own}/client`]);
      const [{ child }] = await Promise.all([startServer('moleculer.mjs', [String(server), String(own)]), broker.start()]);
      await broker.waitForServices('work', 30_000, 20);
      return {
        add: (a, b) => broker.call('work.add', { a, b }),
        echo: (x) => broker.call('work.echo', x),
        async close() {
          await broker.stop();
          child.kill();
        },
      };
    },
  },
];
