// Thread side of birpc.
import { parentPort } from 'node:worker_threads';
import { createBirpc } from 'birpc';
import { add, echo } from '../lib/work.mjs';

createBirpc({ add, echo }, { post: (data) => parentPort.postMessage(data), on: (receive) => parentPort.on('message', receive) });
