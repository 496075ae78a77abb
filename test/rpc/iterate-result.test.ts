// Iterating what a call gives: a list that came as a whole holds up nothing else, and holes are not gone through for ever.
import { expect, it } from 'vitest';
import { asResult } from '../../src/rpc/iterate-result.js';

const iterate = async (value: unknown): Promise<number> => {
  let count = 0;
  for await (const _ of asResult(Promise.resolve(value)) as unknown as AsyncIterable<unknown>) count++;
  return count;
};

it('lets the event loop turn while it goes through a long list', async () => {
  let turns = 0;
  let over = false;
  const turn = () => {
    turns++;
    if (!over) setImmediate(turn);
  };
  setImmediate(turn);
  expect(await iterate(Array.from({ length: 50_000 }, (_, i) => i))).toBe(50_000);
  over = true;
  expect(turns).toBeGreaterThan(20);
});

it('refuses a list of holes that nobody could go through', async () => {
  const holes: unknown[] = [];
  holes[2 ** 32 - 2] = 1;
  await expect(iterate(holes)).rejects.toThrow(/4294967295 places, most of them holes/);
});
