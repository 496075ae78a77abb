// Child side of raw Node IPC: one message per call.
import { add, echo } from '../lib/work.mjs';

process.on('message', ({ id, kind, a, b }) => {
  if (kind === 'add') process.send({ id, value: add(a, b) });
  else if (kind === 'echo') process.send({ id, value: echo(a) });
  else for (let i = 1; i <= a; i++) process.send(i);
});
