// Whether a container of a value was met before: by size while they are few, in a Set then, and across very many values.
import { expect, it } from 'vitest';
import { Seen } from '../../src/rpc/seen.js';

it.each([1, 39, 40, 41, 200])('knows each of %i containers again, whatever its size, and no other', (count) => {
  const seen = new Seen();
  for (let value = 0; value < 3; value++) {
    const containers = Array.from({ length: count }, (_, i) => ({ i }));
    seen.begin();
    containers.forEach((one, i) => expect(i % 2 ? seen.object(one, i) : seen.array(one, i % 20)).toBe(false));
    containers.forEach((one, i) => expect(i % 2 ? seen.object(one, i) : seen.array(one, i % 20)).toBe(true));
    seen.end();
  }
});

it('forgets a value with its end, also where its places begin anew', () => {
  const seen = new Seen();
  const same = {};
  // Places are numbered through, up to 2 ** 30.
  for (let value = 0; value < 27_000_000; value++) {
    seen.begin();
    if (value % 1_000 !== 0) continue;
    if (seen.object(same, 3) || seen.array([], 3) || !seen.object(same, 3)) throw new Error(`value ${value}`);
    seen.end();
  }
});
