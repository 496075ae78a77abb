// Functions as arguments: called in turn, all at once, unheard, kept, too late; functions as results; calls back and forth.
import fc from 'fast-check';
import { keep } from 'mimas';
import { ticks } from '../../fixtures/processes/ticks.js';
import { few, some, wait } from '../drawn.js';
import { allOf, errorOf, operation, same } from '../operation.js';

const each = operation(fc.record({ n: few, wait, answer: wait, together: fc.boolean(), throwAt: fc.integer({ min: -1, max: 6 }) }), async ({ calc, base }, { n, wait: pause, answer, together, throwAt }) => {
  const answers = await calc.each(n, pause, together, async (i) => {
    await ticks(answer);
    if (i === throwAt) throw Object.assign(new Error(`thrown ${base + i}`), { code: `T_${base}` });
    return base + i;
  });
  same(answers, Array.from({ length: n }, (_, i) => (i === throwAt ? { error: `thrown ${base + i}`, code: `T_${base}` } : { value: base + i })), 'each');
});

/** Nobody waits for them, but they come before the result. */
const fire = operation(fc.record({ n: few }), async ({ calc }, { n }) => {
  const heard: number[] = [];
  await calc.fire(n, (i) => heard.push(i));
  same(heard, Array.from({ length: n }, (_, i) => i), 'fire');
});

/** A getter of the arguments makes a call of its own, while those are encoded. */
const getter = operation(fc.record({ answer: wait }), async ({ calc, base }, { answer }) => {
  let inner: Promise<unknown> | undefined;
  const value = {
    get n() {
      inner ??= calc.tell({ n: base + 1 }, async (n) => (await ticks(answer), n * 2));
      return base;
    },
  };
  const outer = calc.tell(value, async (n) => (await ticks(answer), n * 3));
  same(await allOf([outer, inner]), [[base, base * 3], [base + 1, (base + 1) * 2]], 'call from within a getter');
});

const isReleased = ({ code }: { code?: unknown }) => code === 'CALLBACK_RELEASED';

const keptThere = operation(fc.record({ uses: few, pause: wait }), async ({ pinned, key, base }, { uses, pause }) => {
  await pinned.keepIt(key, (i) => base + i);
  for (let i = 0; i < uses; i++) {
    await ticks(pause);
    same(await pinned.useKept(key, i), base + i, 'kept in the process');
  }
  await pinned.dropKept(key);
  await errorOf(pinned.callLate(key, 1), 'kept in the process and let go', isReleased);
});

const keptHere = operation(fc.record({ uses: few, pause: wait }), async ({ pinned, key, base }, { uses, pause }) => {
  const held = keep((i: number) => base + i);
  await pinned.remember(key, held);
  for (let i = 0; i < uses; i++) {
    await ticks(pause);
    same(await pinned.callLate(key, i), base + i, 'kept by the caller');
  }
  held[Symbol.dispose]();
  await errorOf(pinned.callLate(key, 1), 'kept by the caller and let go', isReleased);
});

const late = operation(fc.record({ pause: wait }), async ({ pinned, key }, { pause }) => {
  await pinned.remember(key, () => 'too late');
  await ticks(pause);
  await errorOf(pinned.callLate(key, 1), 'called too late', isReleased);
});

const maker = operation(fc.record({ n: some, pause: wait }), async ({ calc, base }, { n, pause }) => {
  const plus = (await calc.maker(base)) as unknown as (n: number) => Promise<number>;
  await ticks(pause);
  same(await Promise.all(Array.from({ length: n }, (_, i) => plus(i))), Array.from({ length: n }, (_, i) => base + i), 'function of a result');
});

/** The process calls the caller, which calls the process, and so on. */
const recurse = operation(fc.record({ depth: fc.integer({ min: 0, max: 4 }), wait }), async ({ calc }, { depth, wait: pause }) => {
  const back = (n: number): Promise<number[]> => calc.recurse(n - 1, pause, back);
  same(await calc.recurse(depth, pause, back), Array.from({ length: depth + 1 }, (_, i) => depth - i), 'recurse');
}, { nested: true });

/** Two at once; those that wait hold their arguments. */
const narrow = operation(fc.record({ wait, n: some }), async ({ calc, key, base }, { wait: pause, n }) => {
  const calls = Array.from({ length: n }, (_, i) => calc.narrow(`${key}.${i}`, base + i, pause, async (value) => (await ticks(pause), value * 3)));
  same(await allOf(calls), Array.from({ length: n }, (_, i) => (base + i) * 3), 'narrow');
});

export const callbacks = { each, fire, getter, keptThere, keptHere, late, maker, recurse, narrow };
