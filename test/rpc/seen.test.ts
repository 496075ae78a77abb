// Whether a container of a value was met before: by size while they are few, in a Set then.
import { expect, it } from 'vitest';
import { Seen } from '../../src/rpc/seen.js';
import { lives } from '../helpers/garbage.js';

it.each([1, 39, 40, 41, 200])('knows each of %i containers again, whatever its size, and no other', (count) => {
  const seen = new Seen();
  for (let value = 0; value < 3; value++) {
    const containers = Array.from({ length: count }, (_, i) => ({ i }));
    containers.forEach((one, i) => expect(i % 2 ? seen.object(one, i) : seen.array(one, i % 20)).toBe(false));
    containers.forEach((one, i) => expect(i % 2 ? seen.object(one, i) : seen.array(one, i % 20)).toBe(true));
    seen.end();
  }
});

it('keeps those of one size apart from all others', () => {
  const seen = new Seen();
  const ofSize = Array.from({ length: 100 }, () => ({}));
  for (const one of ofSize) expect(seen.object(one, 3)).toBe(false);
  expect(seen.array([], 3)).toBe(false);
  expect(seen.object({}, 4)).toBe(false);
  for (const one of ofSize) expect(seen.object(one, 3)).toBe(true);
});

it.each([1, 100])('forgets a value of %i containers with its end', async (count) => {
  const seen = new Seen();
  const value = () => {
    const containers = Array.from({ length: count }, () => ({}));
    for (let twice = 0; twice < 2; twice++) {
      for (const one of containers) expect(seen.object(one, 3)).toBe(false);
      seen.end();
    }
    return new WeakRef(containers[0]!);
  };
  expect(await lives(value())).toBe(false);
});
