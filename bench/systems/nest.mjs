// NestJS microservices over TCP (JSON).
import 'reflect-metadata';
import { ClientProxyFactory, Transport } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { startServer } from '../lib/child.mjs';

export const systems = [
  {
    name: 'nestjs tcp', group: 'socket', kind: 'peer', binary: false, quick: true,
    async start() {
      const { port, child } = await startServer('nest.mjs');
      const client = ClientProxyFactory.create({ transport: Transport.TCP, options: { host: '127.0.0.1', port } });
      await client.connect();
      return {
        add: (a, b) => firstValueFrom(client.send('add', { a, b })),
        echo: (x) => firstValueFrom(client.send('echo', x)),
        close: () => (client.close(), child.kill()),
      };
    },
  },
];
