// A small program of its own: when the pipeline's program vanishes (kill -9), it removes the containers and the network.
// It waits at a pipe that only that program holds; the line `done` sends it home.
import { createInterface } from 'node:readline';
import { connectEngine, LABEL, removeAll } from './docker-engine.js';

const [pipeline, owner] = process.argv.slice(2);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

let done = false;
for await (const line of createInterface({ input: process.stdin })) done ||= line === 'done';
if (!done) await removeAll(await connectEngine(), [`${LABEL.pipeline}=${pipeline}`, `${LABEL.owner}=${owner}`]);
