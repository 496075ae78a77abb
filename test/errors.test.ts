// What was meant: the nearest of the names that there are, found among many, soon.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closest } from '../src/errors.js';
import { costOf } from './helpers/hostile-yaml.js';

/** By the definition. */
function distance(a: string, b: string): number {
  if (a === '' || b === '') return a.length + b.length;
  if (a[0] === b[0]) return distance(a.slice(1), b.slice(1));
  return 1 + Math.min(distance(a.slice(1), b), distance(a, b.slice(1)), distance(a.slice(1), b.slice(1)));
}

describe('closest', () => {
  it('is the first of the nearest, or nothing when none is near', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', 'C'), maxLength: 6 });
    fc.assert(fc.property(name, fc.array(name, { maxLength: 8 }), (wanted, known) => {
      const near = known.map((one) => ({ one, far: distance(wanted.toLowerCase(), one.toLowerCase()) })).filter(({ far }) => far <= Math.max(2, Math.floor(wanted.length / 3)));
      const least = Math.min(...near.map(({ far }) => far));
      expect(closest(wanted, known)).toBe(near.find(({ far }) => far === least)?.one);
    }));
  });

  it('takes no time for names that nobody types', () => {
    const known = Array.from({ length: 60_000 }, (_, n) => `component-${n}`);
    expect(costOf(() => closest('komponent-77', known))).toBeLessThan(1500);
    expect(costOf(() => expect(closest('x'.repeat(1_000_000), ['x'.repeat(999_999)])).toBeUndefined())).toBeLessThan(500);
  });
});
