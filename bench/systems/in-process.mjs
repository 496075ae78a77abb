// The floor: a plain asynchronous call, and the same with arguments and result cloned as a border would.
import { add, echo } from '../lib/work.mjs';

async function* count(n) {
  for (let i = 1; i <= n; i++) yield i;
}
async function drain(items) {
  let n = 0;
  for await (const _ of items) n++;
  return n;
}

export const systems = [
  {
    name: 'direct async call', group: 'in-process', kind: 'raw',
    start: async () => ({ add: async (a, b) => add(a, b), echo: async (x) => echo(x), stream: (n) => drain(count(n)), close() {} }),
  },
  {
    name: 'structuredClone', group: 'in-process', kind: 'raw', quick: true,
    start: async () => ({
      add: async (...args) => structuredClone(add(...structuredClone(args))),
      echo: async (...args) => structuredClone(echo(...structuredClone(args))),
      echoTransfer: async (bytes) => structuredClone(structuredClone(bytes, { transfer: [bytes.buffer] })),
      close() {},
    }),
  },
];
