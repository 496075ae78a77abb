// Thread side of comlink.
import { parentPort } from 'node:worker_threads';
import { expose, transfer } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { add, echo } from '../lib/work.mjs';

expose({ add, echo, echoTransfer: (bytes) => transfer(bytes, [bytes.buffer]) }, nodeEndpoint(parentPort));
