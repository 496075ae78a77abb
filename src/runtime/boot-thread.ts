// The first file of a worker thread. Plain JavaScript once compiled: a TypeScript loader given to the program does not reach
// threads on Node 20, so the host registers one itself, and only for a TypeScript file.
import { workerData, type MessagePort } from 'node:worker_threads';
import { PortLink } from '../transport/port.js';
import { Host } from './host.js';
import { watchStart } from './watch-start.js';

const { port, maxFrame } = workerData as { port: MessagePort; maxFrame: number | undefined };
const host = new Host(new PortLink(port, 'main'), maxFrame, () => process.exit(0));
watchStart(host);
