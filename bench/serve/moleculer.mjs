// Server side of moleculer over TCP. Arguments: own port, the client's port.
import { listening } from '../lib/child.mjs';
import { createBroker } from '../lib/moleculer.mjs';
import { add, echo } from '../lib/work.mjs';

const [own, client] = process.argv.slice(2);
const broker = createBroker('server', own, [`tcp://127.0.0.1:${own}/server`, `tcp://127.0.0.1:${client}/client`]);
broker.createService({ name: 'work', actions: { add: ({ params }) => add(params.a, params.b), echo: ({ params }) => echo(params) } });
await broker.start();
listening(own);
