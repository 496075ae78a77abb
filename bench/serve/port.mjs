// Thread side of the raw MessagePort: one message per call.
import { parentPort } from 'node:worker_threads';
import { add, echo } from '../lib/work.mjs';

parentPort.on('message', ({ id, kind, a, b }) => {
  if (kind === 'add') parentPort.postMessage({ id, value: add(a, b) });
  else if (kind === 'echo') parentPort.postMessage({ id, value: echo(a) });
  else if (kind === 'move') parentPort.postMessage({ id, value: a }, [a.buffer]);
  else for (let i = 1; i <= a; i++) parentPort.postMessage(i);
});
