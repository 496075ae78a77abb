// Signals as arguments, cancellations and timeouts at any time, and calls with several live arguments.
import fc from 'fast-check';
import { ticks } from '../../fixtures/processes/ticks.js';
import { flow, itemsOf, wait } from '../drawn.js';
import { errorOf, operation, same } from '../operation.js';
import { consume, type Taken } from './streams.js';
import { shape, valueOf } from './values.js';

const isTimeout = (error: Error) => (error as { code?: unknown }).code === 'CALL_TIMEOUT';

const observe = operation(fc.record({ pause: wait, before: fc.boolean() }), async ({ calc, key, base }, { pause, before }) => {
  const controller = new AbortController();
  const abort = () => controller.abort(new Error(`stop ${base}`));
  if (before) abort();
  const seen = calc.observe(key, controller.signal);
  await ticks(pause);
  abort();
  same(await seen, `stop ${base}`, 'observe');
});

const glance = operation(fc.record({ wait, pause: wait, later: fc.boolean() }), async ({ calc }, { wait: inside, pause, later }) => {
  const controller = new AbortController();
  same(await calc.glance(controller.signal, inside), [false, false], 'glance');
  await ticks(pause);
  if (later) controller.abort();
});

const cancel = operation(fc.record({ pause: wait }), async ({ calc, key, base }, { pause }) => {
  const controller = new AbortController();
  const reason = new Error(`cancelled ${base}`);
  const held = calc.$with({ signal: controller.signal }).hold(key);
  await Promise.all([errorOf(held, 'cancel', (error) => error === reason), (async () => (await ticks(pause), controller.abort(reason)))()]);
});

/** A method that waits for a signal of its arguments alone must not wait for ever when its caller has given up, or has left its stream. */
const givenUp = operation(fc.record({ how: fc.constantFrom('cancel', 'timeout', 'leave'), n: fc.integer({ min: 0, max: 3 }), pause: wait, later: wait }), async ({ calc, key, base }, { how, n, pause, later }) => {
  const controller = new AbortController();
  if (how === 'timeout') await errorOf(calc.$with({ timeout: 3 }).observe(key, controller.signal), 'observe with a timeout', isTimeout);
  else if (how === 'leave') {
    const taken = unbroken(await consume(await calc.watch(key, base, n, controller.signal), n));
    same(taken, { got: Array.from({ length: n }, (_, i) => base + i), end: 'left' }, 'watch, left');
  } else {
    const call = new AbortController();
    const reason = new Error(`cancelled ${base}`);
    const seen = calc.$with({ signal: call.signal }).observe(key, controller.signal);
    await Promise.all([errorOf(seen, 'observe, cancelled', (error) => error === reason), (async () => (await ticks(pause), call.abort(reason)))()]);
  }
  await ticks(later);
  controller.abort(new Error(`stop ${base}`));
});

/** What was taken of a stream that has no reason of its own to break. */
function unbroken(taken: Taken): Taken {
  if (taken.end === 'broken') throw taken.error;
  return taken;
}

const watch = operation(fc.record({ n: fc.integer({ min: 0, max: 3 }), pause: wait }), async ({ calc, key, base }, { n, pause }) => {
  const controller = new AbortController();
  const watched = consume(await calc.watch(key, base, n, controller.signal), -1);
  await ticks(pause);
  controller.abort(new Error(`stop ${base}`));
  same(unbroken(await watched), { got: Array.from({ length: n }, (_, i) => base + i), end: 'end', value: `stop ${base}` }, 'watch');
});

/** The answer or the reason, whichever is first. */
const cancelRace = operation(fc.record({ shape, wait, pause: wait }), async ({ calc, base }, { shape: name, wait: inside, pause }) => {
  const controller = new AbortController();
  const reason = new Error(`cancelled ${base}`);
  const value = valueOf(name, base);
  const answer = calc.$with({ signal: controller.signal }).echo(value, inside).then((got) => same(got, value, 'raced echo'), (error: unknown) => { if (error !== reason) throw error; });
  await Promise.all([answer, (async () => (await ticks(pause), controller.abort(reason)))()]);
});

const timeout = operation(fc.record({ ms: fc.integer({ min: 1, max: 6 }) }), async ({ calc, key }, { ms }) => {
  const { timeout: said } = await errorOf(calc.$with({ timeout: ms }).hold(key), 'timeout', isTimeout);
  same(said, ms, 'timeout');
});

const timeoutRace = operation(fc.record({ shape, wait, ms: fc.integer({ min: 1, max: 6 }) }), async ({ calc, base }, { shape: name, wait: inside, ms }) => {
  const value = valueOf(name, base);
  await calc.$with({ timeout: ms }).echo(value, inside).then((got) => same(got, value, 'echo with a timeout'), (error: Error) => { if (!isTimeout(error)) throw error; });
});

/** Items, a callback and a signal in one call; the signal aborts while one item is in the callback. */
const guarded = operation(fc.record({ flow: flow('async', 'sync', 'readable'), stopAt: fc.integer({ min: -1, max: 8 }), answer: wait }), async ({ calc, key, base, source }, { flow: drawn, stopAt, answer }) => {
  const short = { ...drawn, n: Math.min(drawn.n, 12), failAt: -1 };
  const controller = new AbortController();
  const seen = await calc.guarded(key, source(short), async (n) => {
    await ticks(answer);
    // Before the answer, so it is known there by then.
    if (n - base === stopAt) controller.abort(new Error(`stop ${base}`));
    return n * 2;
  }, controller.signal);
  const { items } = itemsOf(short, base);
  const stopped = stopAt >= 0 && stopAt < items.length;
  same(seen, { got: (stopped ? items.slice(0, stopAt + 1) : items).map((n) => n * 2), end: stopped ? `stop ${base}` : 'end' }, 'guarded');
});

/** All of it is given up in the middle. */
const cancelGuarded = operation(fc.record({ flow: flow('async', 'sync', 'readable'), pause: wait, answer: wait }), async ({ calc, key, base, source }, { flow: drawn, pause, answer }) => {
  const short = { ...drawn, n: Math.min(drawn.n, 12), failAt: -1 };
  const controller = new AbortController();
  const reason = new Error(`cancelled ${base}`);
  const { items } = itemsOf(short, base);
  const call = calc.$with({ signal: controller.signal }).guarded(key, source(short), async (n) => (await ticks(answer), n * 2), new AbortController().signal)
    .then((got) => same(got, { got: items.map((n) => n * 2), end: 'end' }, 'cancelled guarded'), (error: unknown) => { if (error !== reason) throw error; });
  await Promise.all([call, (async () => (await ticks(pause), controller.abort(reason)))()]);
});

export const signals = { observe, glance, watch, cancel, givenUp, cancelRace, timeout, timeoutRace, guarded, cancelGuarded };
