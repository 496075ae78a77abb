// Calls whose arguments and results are data, in every encoding; errors with fields; context; order.
import fc from 'fast-check';
import { wait } from '../drawn.js';
import { allOf, errorOf, operation, same, Wrong } from '../operation.js';

/** One for each way in which a value is encoded: inline, packed with the records of the link, as a graph, with attachments. */
const SHAPES: Readonly<Record<string, (n: number) => unknown>> = {
  number: (n) => n,
  text: (n) => `text ${n}`,
  list: (n) => [n, `${n}`, null, undefined],
  record: (n) => ({ id: n, name: `n${n}`, nested: { list: [n, { id: n + 1 }] } }),
  otherRecord: (n) => Array.from({ length: 12 }, (_, i) => ({ [`field${(n + i) % 5}`]: n, at: i })),
  graph: (n) => new Map<unknown, unknown>([[n, new Set([{ n }])], ['at', new Date(n)]]),
  shared: (n) => { const one = { n }; return [one, one, -0, new Error(`e${n}`).message]; },
  bytes: (n) => new Uint8Array(16).fill(n % 256),
  buffers: (n) => ({ n, a: new Uint8Array(20_000).fill(n % 256), b: new Float64Array([n]) }),
  long: (n) => `${n}`.repeat(9_000),
  huge: (n) => `${n % 10}`.repeat(400_000),
};
export const shape = fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...Object.keys(SHAPES).filter((name) => name !== 'huge')) }, { weight: 1, arbitrary: fc.constant('huge') });
export const valueOf = (name: string, n: number): unknown => SHAPES[name]!(n);

const echo = operation(fc.record({ shape, wait, now: fc.boolean() }), async ({ calc, base }, { shape: name, wait: pause, now }) => {
  const value = valueOf(name, base);
  same(await (now ? calc.echoNow(value) : calc.echo(value, pause)), value, 'echo');
});

/** Made again on the next incarnation, as often as it takes. */
const idempotent = operation(fc.record({ shape, wait }), async ({ calc, base }, { shape: name, wait: pause }) => {
  const value = valueOf(name, base);
  try {
    same(await calc.$with({ idempotent: true }).echo(value, pause), value, 'idempotent echo');
  } catch (error) {
    throw error instanceof Wrong ? error : new Wrong(`idempotent echo: ${String(error)}`, { cause: error });
  }
});

const changed = operation(fc.record({ wait, size: fc.constantFrom(8, 30_000) }), async ({ calc, base }, { wait: pause, size }) => {
  const value = { list: [base], bytes: new Uint8Array(size).fill(1) };
  const answer = calc.echo(value, pause);
  value.list.push(-1);
  value.bytes.fill(2);
  same(await answer, { list: [base], bytes: new Uint8Array(size).fill(1) }, 'echo of what was changed after the call');
});

const moved = operation(fc.record({ wait, size: fc.constantFrom(8, 30_000) }), async ({ calc, base }, { wait: pause, size }) => {
  const buffer = new Uint8Array(size).fill(base % 256).buffer;
  const answer = calc.$with({ transfer: [buffer] }).echo({ buffer }, pause);
  same(await answer, { buffer: new Uint8Array(size).fill(base % 256).buffer }, 'echo of what was moved');
  same(buffer.byteLength, 0, 'what was moved');
});

const inOrder = operation(fc.record({ n: fc.integer({ min: 1, max: 4 }) }), async ({ calc, next }, { n }) => {
  const numbers: number[] = [];
  const calls = Array.from({ length: n }, () => {
    const number = next();
    numbers.push(number);
    return calc.inOrder(number);
  });
  same(await allOf(calls), numbers, 'inOrder');
}, { single: true });

const fail = operation(fc.record({ wait }), async ({ calc, base }, { wait: pause }) => {
  const error = await errorOf(calc.fail(base, pause), 'fail', ({ code }) => typeof code === 'string' && code.startsWith('E_'));
  const { name, message, code, n, detail } = error;
  same({ name, message, code, n, detail }, { name: 'RangeError', message: `failed ${base}`, code: `E_${base}`, n: base, detail: { list: [base], at: new Date(base) } }, 'fail');
});

const context = operation(fc.record({ how: fc.constantFrom('call', 'stream', 'relay'), wait, n: fc.integer({ min: 0, max: 4 }) }), async ({ calc, other, key }, { how, wait: pause, n }) => {
  const tagged = calc.$with({ headers: { op: key } });
  if (how === 'call') same(await tagged.context(pause), [key, key], 'context');
  else if (how === 'relay') same(await tagged.contextOf(other, pause), [key, key], 'context of a relayed call');
  else {
    const seen: unknown[] = [];
    for await (const item of tagged.contexts(n, pause)) seen.push(item);
    same(seen, Array.from({ length: n }, () => key), 'context of a stream');
  }
});

export const values = { echo, idempotent, changed, moved, inOrder, fail, context };
