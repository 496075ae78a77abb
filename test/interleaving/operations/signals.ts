// Signals as arguments, cancellations and timeouts at any time, and calls with several live arguments.
import fc from 'fast-check';
import { ticks } from '../../fixtures/processes/ticks.js';
import { flow, itemsOf, wait } from '../drawn.js';
import { errorOf, operation, same } from '../operation.js';
import { shape, valueOf } from './values.js';

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

/** The answer or the reason, whichever is first. */
const cancelRace = operation(fc.record({ shape, wait, pause: wait }), async ({ calc, base }, { shape: name, wait: inside, pause }) => {
  const controller = new AbortController();
  const reason = new Error(`cancelled ${base}`);
  const value = valueOf(name, base);
  const answer = calc.$with({ signal: controller.signal }).echo(value, inside).then((got) => same(got, value, 'raced echo'), (error: unknown) => { if (error !== reason) throw error; });
  await Promise.all([answer, (async () => (await ticks(pause), controller.abort(reason)))()]);
});

const isTimeout = (error: Error) => (error as { code?: unknown }).code === 'CALL_TIMEOUT';

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

export const signals = { observe, glance, cancel, cancelRace, timeout, timeoutRace, guarded, cancelGuarded };
