// The work queue and what it stands on: heap, backoff, clock.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Heap } from '../../src/heap.js';
import { backoffDelay, jitter, plainDelay, systemClock, WorkQueue, type Backoff } from '../../src/supervisor/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

function setUp() {
  const clock = new FakeClock();
  const due: [string, number][] = [];
  const depths: number[] = [];
  const queue = new WorkQueue<string>({ clock, onDue: (key) => due.push([key, clock.now()]), onDepth: (depth) => depths.push(depth) });
  return { clock, due, depths, queue };
}

describe('WorkQueue', () => {
  it('hands out each entry once, in order of time, at its time', async () => {
    const { clock, due, queue } = setUp();
    queue.add('c', 300);
    queue.add('a', 100);
    queue.add('b', 200);
    expect(queue.depth).toBe(3);
    await clock.advance(1000);
    expect(due).toEqual([['a', 100], ['b', 200], ['c', 300]]);
    expect([queue.depth, clock.pending]).toEqual([0, 0]);
  });

  it('11. an id queued at 500, then at 100 and at 900, is one entry that is due at 100 (keep the earlier)', async () => {
    const { clock, due, queue } = setUp();
    expect([queue.add('a', 500), queue.add('a', 100), queue.add('a', 900)]).toEqual([true, true, false]);
    expect([queue.depth, queue.dueAt('a')]).toEqual([1, 100]);
    await clock.advance(1000);
    expect(due).toEqual([['a', 100]]);
  });

  it('has one timer for a hundred entries, and none when empty', async () => {
    const { clock, due, queue } = setUp();
    for (let i = 0; i < 100; i++) queue.add(`u${i}`, 1000 + ((i * 37) % 100));
    expect(clock.pending).toBe(1);
    for (let i = 0; i < 50; i++) queue.delete(`u${i}`);
    expect(clock.pending).toBe(1);
    await clock.advance(2000);
    expect(due).toHaveLength(50);
    queue.add('x', 5);
    queue.delete('x');
    expect(clock.pending).toBe(0);
  });

  it('entries of the same time keep their order, and may be added again from within', async () => {
    const clock = new FakeClock();
    const due: string[] = [];
    const queue: WorkQueue<string> = new WorkQueue({ clock, onDue: (key) => {
      due.push(key);
      if (due.length < 6) queue.add(key, 10);
    } });
    for (const key of ['x', 'y', 'z']) queue.add(key, 10);
    await clock.advance(30);
    expect(due.join('')).toBe('xyzxyzxyz'.slice(0, 8));
  });

  it('never keeps what is infinitely far away, tells its depth, and clears', async () => {
    const { clock, due, depths, queue } = setUp();
    expect(queue.add('never', Infinity)).toBe(false);
    queue.add('a', 1);
    queue.add('b', 2);
    queue.clear();
    await clock.advance(10);
    expect([due, depths, clock.pending]).toEqual([[], [1, 2, 0], 0]);
  });

  it('waits longer than a Node timer can', async () => {
    const { clock, due, queue } = setUp();
    queue.add('a', 2 ** 32);
    await clock.advance(2 ** 32 - 1);
    expect(due).toEqual([]);
    await clock.advance(1);
    expect(due).toHaveLength(1);
  });

  it('works on the real clock, never early', async () => {
    const start = systemClock.now();
    const at = await new Promise<number>((resolve) => new WorkQueue<string>({ clock: systemClock, onDue: () => resolve(systemClock.now()) }).add('a', 20));
    expect(at - start).toBeGreaterThanOrEqual(20);
    expect(at - start).toBeLessThan(500);
  });
});

describe('Heap', () => {
  it('pops in order after any pushes, removals and key changes (against a sorted array)', () => {
    const operation = fc.tuple(fc.constantFrom('push', 'pop', 'remove', 'change'), fc.nat(50), fc.nat(1000));
    fc.assert(fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
      const heap = new Heap<{ key: number; place: number }>((a, b) => a.key - b.key);
      const model: { key: number; place: number }[] = [];
      for (const [what, pick, key] of operations) {
        const item = model[pick % Math.max(1, model.length)];
        if (what === 'push') {
          const added = { key, place: -1 };
          heap.push(added);
          model.push(added);
        } else if (what === 'pop') {
          const popped = heap.pop();
          expect(popped?.key).toBe(model.length ? Math.min(...model.map((m) => m.key)) : undefined);
          if (popped) model.splice(model.indexOf(popped), 1);
        } else if (what === 'remove' && item) {
          expect([heap.remove(item), heap.remove(item)]).toEqual([true, false]);
          model.splice(model.indexOf(item), 1);
        } else if (what === 'change' && item) {
          item.key = key;
          heap.push(item);
        }
        expect(heap.size).toBe(model.length);
      }
      const rest: number[] = [];
      while (heap.size) rest.push(heap.pop()!.key);
      expect(rest).toEqual(model.map((m) => m.key).sort((a, b) => a - b));
    }));
  });
});

describe('backoff', () => {
  const backoff: Backoff = { type: 'exponential', initial: 1000, max: 60_000, jitter: 0.25 };

  it('is 1s·2^n up to the cap, and nothing for a negative attempt', () => {
    expect([-1, 0, 1, 2, 3, 4, 5, 6, 7, 10, 5000].map((n) => plainDelay(backoff, n))).toEqual([0, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000]);
    expect([0, 1, 59, 60].map((n) => plainDelay({ ...backoff, type: 'linear' }, n))).toEqual([1000, 2000, 60_000, 60_000]);
  });

  it('jitter stays within its bounds and spreads', () => {
    const delays = Array.from({ length: 200 }, () => jitter(1000, 0.5));
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(500);
    expect(Math.max(...delays)).toBeLessThanOrEqual(1500);
    expect(new Set(delays).size).toBeGreaterThan(100);
    expect([jitter(1000, 0), jitter(1000, -1), jitter(1000, 7, () => 1)]).toEqual([1000, 1000, 2000]);
    expect([backoffDelay(backoff, 9, () => 0), backoffDelay(backoff, 9, () => 1)]).toEqual([45_000, 75_000]);
  });
});
