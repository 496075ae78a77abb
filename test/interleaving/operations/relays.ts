// Proxies as arguments: the process calls another one through them, with values, streams, callbacks, signals and timeouts.
import fc from 'fast-check';
import { ticks } from '../../fixtures/processes/ticks.js';
import { few, flow, itemsOf, wait } from '../drawn.js';
import { errorOf, operation, same } from '../operation.js';
import { checkTaken, consume } from './streams.js';
import { shape, valueOf } from './values.js';

const take = fc.oneof({ weight: 2, arbitrary: fc.constant(-1) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: 8 }) });

const relayEcho = operation(fc.record({ shape, wait }), async ({ calc, other, base }, { shape: name, wait: pause }) => {
  const value = valueOf(name, base);
  same(await calc.relayEcho(other, value, pause), value, 'relayed echo');
});

const relayProduce = operation(fc.record({ flow: flow('async', 'sync', 'readable'), take }), async ({ calc, other, key, base }, { flow: drawn, take: count }) => {
  const { items, breaks } = itemsOf(drawn, base);
  const whole = count < 0 || count > items.length;
  same(await calc.relayProduce(other, key, base, drawn, count), { got: whole ? items : items.slice(0, count), end: whole ? (breaks ? `broke ${base}` : 'end') : 'left' }, 'relayed stream, read there');
});

const relayPass = operation(fc.record({ flow: flow('async', 'sync'), take }), async ({ calc, other, key, base }, { flow: drawn, take: count }) => {
  checkTaken(await consume((await calc.relayPass(other, key, base, drawn)) as AsyncIterable<number>, count), drawn, base, count, 'relayed stream, read here');
});

const relayDrain = operation(fc.record({ flow: flow('async', 'sync', 'readable'), take }), async ({ calc, other, base, source }, { flow: drawn, take: count }) => {
  const { items, breaks } = itemsOf(drawn, base);
  const whole = count < 0 || count > items.length;
  same(await calc.relayDrain(other, count, source(drawn)), { got: whole ? items : items.slice(0, count), end: whole ? (breaks ? `broke ${base}` : 'end') : 'left' }, 'relayed argument stream');
});

const relayEach = operation(fc.record({ n: few, wait, answer: wait }), async ({ calc, other, base }, { n, wait: pause, answer }) => {
  same(await calc.relayEach(other, n, pause, async (i) => (await ticks(answer), base + i)), Array.from({ length: n }, (_, i) => ({ value: base + i })), 'relayed callback');
});

const relayOwn = operation(fc.record({ n: few }), async ({ calc, other, base }, { n }) => {
  same(await calc.relayOwn(other, n, base), Array.from({ length: n }, (_, i) => ({ value: base + i })), 'callback of the process');
});

const relayObserve = operation(fc.record({ pause: wait }), async ({ calc, other, key, base }, { pause }) => {
  const controller = new AbortController();
  const seen = calc.relayObserve(other, key, controller.signal);
  await ticks(pause);
  controller.abort(new Error(`stop ${base}`));
  same(await seen, `stop ${base}`, 'relayed signal');
});

const relayHold = operation(fc.record({ wait }), async ({ calc, other, key }, { wait: pause }) => {
  same(await calc.relayHold(other, key, pause), 'its reason', 'relayed cancellation');
});

const relayTimeout = operation(fc.constant({}), async ({ calc, other, key }) => {
  await errorOf(calc.relayTimeout(other, key), 'relayed timeout', ({ code }) => code === 'CALL_TIMEOUT');
});

export const relays = { relayEcho, relayProduce, relayPass, relayDrain, relayEach, relayOwn, relayObserve, relayHold, relayTimeout };
