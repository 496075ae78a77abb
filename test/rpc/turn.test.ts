// Very many answers at once: they are read in slices, in order, and the event loop turns in between.
import { afterAll, expect, it } from 'vitest';
import { createProcessManager } from 'mimas';

interface Echo {
  add(a: number, b: number): Promise<number>;
}
const file = new URL('../fixtures/processes/echo-and-beat.process.ts', import.meta.url);
const pm = createProcessManager();
afterAll(() => pm.shutdown());

it.each(['worker', 'child'] as const)('answers to 50,000 calls made at once leave the event loop its turns, isolation %s', async (isolation) => {
  const echo = await pm.spawn<Echo>(file, { isolation });
  await echo.add(1, 1);
  const order: number[] = [];
  const calls = Array.from({ length: 50_000 }, (_, i) => echo.add(i, 1).then((sum) => order.push(sum)));
  let most = 0;
  let before = 0;
  let over = false;
  const turn = () => {
    most = Math.max(most, order.length - before);
    before = order.length;
    if (!over) setImmediate(turn);
  };
  setImmediate(turn);
  await Promise.all(calls);
  over = true;
  expect(order).toEqual(Array.from({ length: 50_000 }, (_, i) => i + 1));
  // 16,384 are in flight at once: read without a break, all of them would be one turn.
  expect(most).toBeLessThan(14_000);
});

it('calls that waited for a process are sent in slices, too, when it comes up', async () => {
  const echo = await pm.spawn<Echo>(file);
  const { $handle } = echo as unknown as { $handle: { restart(): Promise<void>; on(event: 'ready', listener: () => void): void } };
  const restarted = $handle.restart();
  const calls = Array.from({ length: 20_000 }, (_, i) => echo.add(i, 1));
  let turns = 0;
  let over = false;
  const turn = () => {
    turns++;
    if (!over) setImmediate(turn);
  };
  $handle.on('ready', () => setImmediate(turn));
  expect(await Promise.all(calls)).toEqual(Array.from({ length: 20_000 }, (_, i) => i + 1));
  over = true;
  await restarted;
  expect(turns).toBeGreaterThan(5);
});
