// Streams out of and into a process: whole, left early, slowly, broken, aborted.
import fc from 'fast-check';
import { ticks } from '../../fixtures/processes/ticks.js';
import { flow, itemsOf, some, wait } from '../drawn.js';
import { errorOf, operation, same, Wrong, type Flow } from '../operation.js';

export type Taken = { got: unknown[]; end: 'end' | 'left' | 'broken'; value?: unknown; error?: unknown };

/** Reads `stream` as far as `take` items (all, when it is below 0), `pause` before each. */
export async function consume(stream: AsyncIterable<unknown>, take: number, pause = 0): Promise<Taken> {
  const iterator = stream[Symbol.asyncIterator]();
  const got: unknown[] = [];
  for (;;) {
    if (got.length === take) {
      await iterator.return?.();
      return { got, end: 'left' };
    }
    await ticks(pause);
    try {
      const { done, value } = await iterator.next();
      if (done) return { got, end: 'end', value };
      got.push(value);
    } catch (error) {
      return { got, end: 'broken', error };
    }
  }
}

/** Checks what a consumer of `drawn` got: every item as far as it went, and the right end. */
export function checkTaken({ got, end, value, error }: Taken, drawn: Flow, base: number, take: number, what: string): void {
  const { items, breaks } = itemsOf(drawn, base);
  const whole = take < 0 || take > items.length;
  if (end === 'broken' && (!whole || !breaks || (error as Error).message !== `broke ${base}`)) throw error;
  same(got, whole ? items : items.slice(0, take), `${what}: items`);
  same(end, whole ? (breaks ? 'broken' : 'end') : 'left', `${what}: its end`);
  if (end === 'end' && drawn.form !== 'readable') same(value, `end ${base}`, `${what}: its value`);
}

const take = fc.oneof({ weight: 2, arbitrary: fc.constant(-1) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: 8 }) });

const produce = operation(fc.record({ flow: flow('async', 'sync', 'readable', 'later'), take, pause: wait }), async ({ calc, key, base }, { flow: drawn, take: count, pause }) => {
  const stream = await calc.produce(key, base, drawn);
  checkTaken(await consume(stream as AsyncIterable<number>, count, drawn.n > 12 ? Math.min(pause, 1) : pause), drawn, base, count, 'produce');
});

/** Abort in the middle: what had come whole by then may still be read, anything else ends with the very reason. */
const abortedStream = operation(fc.record({ flow: flow('async', 'sync', 'readable'), after: fc.integer({ min: 0, max: 6 }), pause: wait }), async ({ calc, key, base }, { flow: drawn, after, pause }) => {
  const controller = new AbortController();
  const reason = new Error(`enough ${base}`);
  const stream = (await calc.$with({ signal: controller.signal }).produce(key, base, drawn)) as AsyncIterable<number>;
  const iterator = stream[Symbol.asyncIterator]();
  const first: unknown[] = [];
  const { items, breaks } = itemsOf(drawn, base);
  while (first.length < Math.min(after, items.length)) first.push((await iterator.next()).value);
  await ticks(pause);
  controller.abort(reason);
  const { got, end, error } = await consume({ [Symbol.asyncIterator]: () => iterator }, -1);
  const all = [...first, ...got];
  if (end === 'broken' && error !== reason && !(breaks && (error as Error).message === `broke ${base}`)) throw error;
  same(all, items.slice(0, all.length), 'aborted stream: items');
  if (error !== reason) same({ all, end }, { all: items, end: breaks ? 'broken' : 'end' }, 'aborted stream that had come whole');
});

const drain = operation(fc.record({ flow: flow('async', 'sync', 'readable', 'later'), take, wait }), async ({ calc, base, source }, { flow: drawn, take: count, wait: pause }) => {
  const { items, breaks } = itemsOf(drawn, base);
  const whole = count < 0 || count > items.length;
  const expected = { got: whole ? items : items.slice(0, count), end: whole ? (breaks ? `broke ${base}` : 'end') : 'left' };
  same(await calc.drain(count, drawn.n > 12 ? Math.min(pause, 1) : pause, source(drawn)), expected, 'drain');
});

const zip = operation(fc.record({ a: flow('async', 'sync'), b: flow('async', 'readable') }), async ({ calc, base, source }, { a, b }) => {
  const [left, right] = [{ ...a, failAt: -1 }, { ...b, failAt: -1 }];
  const n = Math.min(a.n, b.n);
  same(await calc.zip(source(left), source(right)), Array.from({ length: n }, (_, i) => [base + i, base + i]).flat(), 'zip');
});

/** A stream in, a stream out, and a callback between the two. */
const map = operation(fc.record({ flow: flow('async', 'sync', 'readable'), take, wait, answer: wait }), async ({ calc, key, base, source }, { flow: drawn, take: count, wait: pause, answer }) => {
  const short = { ...drawn, n: Math.min(drawn.n, 12) };
  const { items, breaks } = itemsOf(short, base);
  const mapped = calc.map(key, pause, source(short), async (n) => (await ticks(answer), n * 2));
  const { got, end, error } = await consume(await mapped, count);
  const whole = count < 0 || count > items.length;
  if (end === 'broken' && !(whole && breaks && (error as Error).message === `broke ${base}`)) throw error;
  same({ got, end }, { got: (whole ? items : items.slice(0, count)).map((n) => n * 2), end: whole ? (breaks ? 'broken' : 'end') : 'left' }, 'map');
});

/** A result that holds a stream and a function. */
const bundle = operation(fc.record({ flow: flow('async'), take, n: some }), async ({ calc, key, base }, { flow: drawn, take: count, n }) => {
  const { items, plus } = await calc.bundle(key, base, drawn);
  const [taken, ...sums] = await Promise.all([consume(items, count), ...Array.from({ length: n }, (_, i) => plus(i))]);
  checkTaken(taken, drawn, base, count, 'bundle');
  same(sums, Array.from({ length: n }, (_, i) => base + i), 'bundle: its function');
});

/** Left before anything was read. */
const unread = operation(fc.record({ flow: flow('async', 'sync', 'readable'), pause: wait }), async ({ calc, key, base }, { flow: drawn, pause }) => {
  const stream = (await calc.produce(key, base, drawn)) as AsyncIterable<number>;
  await ticks(pause);
  const { done } = (await stream[Symbol.asyncIterator]().return?.()) ?? { done: true };
  if (!done) throw new Wrong('unread: a stream that was left goes on');
});

/** What cannot cross fails its call, and lends nothing of what stands beside it. */
const refused = operation(fc.record({ flow: flow('async', 'sync', 'readable'), result: fc.boolean() }), async ({ calc, key, base, source }, { flow: drawn, result }) => {
  const call = result ? calc.spoilt(key, base, drawn) : calc.echo({ items: source(drawn), fn: () => base, signal: new AbortController().signal, bad: Promise.resolve() }, 0);
  await errorOf(call, 'refused', ({ code }) => code === 'NOT_CLONEABLE');
});

export const streams = { refused, produce, abortedStream, drain, zip, map, bundle, unread };
