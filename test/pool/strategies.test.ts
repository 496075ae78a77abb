// Strategies: the load counts at the moment of choice, ties take turns, and a user's own function is held to the rules.
import { expect, it } from 'vitest';
import { InvalidOptionError } from '../../dist/index.js';
import { resolveStrategy, type Candidate, type StrategyName } from '../../dist/pool/strategy.js';
import { PeakEwma } from '../../dist/pool/strategies/latency.js';
import { counts, fakePool, sleep } from './helpers.js';

interface Fake extends Candidate { active: number; calls: number; room: number; latency: number; weight: number }
const fakes = (n: number, over: Partial<Fake> = {}): Fake[] =>
  Array.from({ length: n }, (_, slot) => ({ id: `r${slot}`, slot, active: 0, calls: 0, room: 100, weight: 1, latency: 0, ...over, get free() { return this.active < this.room; } }));
const call = { method: 'm', args: [], key: undefined };
function run(name: StrategyName, candidates: Fake[], n: number): number[] {
  const { pick } = resolveStrategy(name);
  const slots: number[] = [];
  for (let i = 0; i < n; i++) {
    const chosen = pick(candidates, call);
    if (!chosen) break;
    chosen.active++;
    slots.push(chosen.slot);
  }
  return slots;
}

it.each<StrategyName>(['round-robin', 'least-loaded', 'latency', 'weighted'])('%s spreads a burst of equals evenly', (name) => {
  expect(counts(run(name, fakes(3), 12))).toEqual([4, 4, 4]);
});

it.each<StrategyName>(['round-robin', 'least-loaded', 'latency'])('%s rotates among idle equals', (name) => {
  const { pick } = resolveStrategy(name);
  expect(Array.from({ length: 6 }, () => pick(fakes(3), call)!.slot)).toEqual([0, 1, 2, 0, 1, 2]);
});

it.each<StrategyName>(['round-robin', 'least-loaded', 'latency', 'weighted', 'power-of-two', 'random', 'consistent-hash', 'first-free'])('%s never picks one without room, and nothing when nobody has any', (name) => {
  const candidates = fakes(3, { room: 2 });
  candidates[1]!.room = 0;
  const slots = run(name, candidates, 10);
  expect(slots).toHaveLength(4);
  expect(slots).not.toContain(1);
});

it('least-loaded picks the one with the fewest calls in flight', () => {
  const candidates = fakes(3);
  candidates[0]!.active = 2;
  candidates[2]!.active = 1;
  expect(run('least-loaded', candidates, 3)).toEqual([1, 2, 1]);
});

it('first-free fills one before it takes the next', () => {
  expect(run('first-free', fakes(3, { room: 2 }), 6)).toEqual([0, 0, 1, 1, 2, 2]);
});

it('power-of-two is far more even than random', () => {
  const worst = (name: StrategyName) => Math.max(...Array.from({ length: 20 }, () => counts(run(name, fakes(10, { room: 10_000 }), 1_000))[0]!));
  expect(worst('power-of-two')).toBeLessThanOrEqual(108);
  expect(worst('random')).toBeGreaterThan(108);
});

it('weighted follows the weights without bursts', () => {
  const candidates = fakes(3);
  candidates[0]!.weight = 4;
  candidates[1]!.weight = 2;
  const slots = run('weighted', candidates, 70);
  expect(counts(slots)).toEqual([40, 20, 10]);
  expect(slots.slice(0, 7).join('')).not.toMatch(/000/);
});

it('latency prefers the fast one, counts what is in flight, and forgives a slow answer with time', () => {
  const candidates = fakes(2);
  candidates[0]!.latency = 100;
  candidates[1]!.latency = 10;
  expect(run('latency', candidates, 10)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
  const ewma = new PeakEwma();
  ewma.record(5, 0);
  ewma.record(200, 10);
  expect(ewma.value).toBe(200);
  ewma.record(5, 10_010);
  expect(ewma.value).toBeCloseTo(200 / Math.E + 5 * (1 - 1 / Math.E), 0);
  ewma.record(5, 60_000);
  expect(ewma.value).toBeLessThan(7);
});

it('consistent-hash keeps a key at its replica, and a replica that goes moves only its own keys', () => {
  const { pick } = resolveStrategy('consistent-hash');
  const five = fakes(5);
  const keys = Array.from({ length: 5_000 }, (_, i) => `user-${i}`);
  const home = (candidates: Fake[], key: string) => pick(candidates, { ...call, key })!.slot;
  const before = keys.map((key) => home(five, key));
  for (const share of counts(before)) expect(share).toBeGreaterThan(850);
  expect(keys.map((key) => home(five, key))).toEqual(before);
  const without = five.filter(({ slot }) => slot !== 2);
  keys.forEach((key, i) => {
    if (before[i] !== 2) expect(home(without, key)).toBe(before[i]);
  });
  expect(counts(keys.filter((_, i) => before[i] === 2).map((key) => home(without, key)))).toHaveLength(4);
});

it('an unknown strategy is refused by name', () => {
  expect(() => resolveStrategy('fastest' as StrategyName)).toThrow(/strategy: "fastest" is not one of round-robin, .* and no function/);
  expect(() => resolveStrategy('constructor' as StrategyName)).toThrow(InvalidOptionError);
});

it("a user's own function sees candidates and call, and undefined lets that call wait, not the others", async () => {
  const seen: unknown[] = [];
  const { members, remote, pool } = await fakePool({
    size: 2,
    concurrency: 1,
    strategy: function mine(candidates, { method, args, key }) {
      seen.push([candidates.length, method, args[0], key]);
      return candidates.find(({ slot, free }) => free && slot === Number(key));
    },
  });
  const first = remote.$with({ key: '0' }).work('a');
  const second = remote.$with({ key: '0' }).work('b');
  const third = remote.$with({ key: '1' }).work('c');
  await sleep(1);
  expect(seen[0]).toEqual([2, 'work', 'a', '0']);
  expect(members.map(({ calls }) => calls.map(({ args }) => args[0]))).toEqual([['a'], ['c']]);
  expect(pool.handle.pending).toBe(1);
  members[1]!.finish('third');
  await expect(third).resolves.toBe('third');
  members[0]!.finish('first');
  await expect(first).resolves.toBe('first');
  members[0]!.finish('second');
  await expect(second).resolves.toBe('second');
});

it("what a user's function does wrong is an error of that call alone", async () => {
  let choice: (candidates: readonly Candidate[]) => unknown = (candidates) => candidates[0];
  const { members, remote } = await fakePool({ size: 1, concurrency: 1, strategy: ((candidates: readonly Candidate[]) => choice(candidates)) as never });
  const good = remote.work();
  await sleep(1);
  await expect(remote.work()).rejects.toThrow(/fake-\d+, which has no room; choose a candidate whose `free` is true/);
  choice = () => ({ id: 'made up' });
  await expect(remote.work()).rejects.toThrow(/chose something that is no candidate/);
  choice = () => {
    throw new TypeError('oops');
  };
  await expect(remote.work()).rejects.toThrow('oops');
  choice = (candidates) => candidates.find(({ free }) => free);
  const waits = remote.work();
  members[0]!.finish(1);
  await expect(good).resolves.toBe(1);
  await sleep(1);
  members[0]!.finish(2);
  await expect(waits).resolves.toBe(2);
});
