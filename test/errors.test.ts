// What was meant: the nearest of the names that there are, found among many, soon.
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closest, isError } from '../src/errors.js';
import { costOf } from './helpers/hostile-yaml.js';

/** By the definition. */
function distance(a: string, b: string): number {
  if (a === '' || b === '') return a.length + b.length;
  const swapped = a.length > 1 && b.length > 1 && a[0] === b[1] && a[1] === b[0] ? 1 + distance(a.slice(2), b.slice(2)) : Infinity;
  return Math.min(distance(a.slice(1), b.slice(1)) + (a[0] === b[0] ? 0 : 1), 1 + distance(a.slice(1), b), 1 + distance(a, b.slice(1)), swapped);
}

describe('closest', () => {
  it('is the first of the nearest, or nothing when none is near', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', 'C'), maxLength: 6 });
    fc.assert(fc.property(name, fc.array(name, { maxLength: 8 }), (wanted, known) => {
      const near = known.map((one) => ({ one, far: distance(wanted.toLowerCase(), one.toLowerCase()) })).filter(({ far }) => far <= Math.min(wanted.length - 1, Math.max(1, Math.floor((wanted.length + 1) / 4))));
      const least = Math.min(...near.map(({ far }) => far));
      expect(closest(wanted, known)).toBe(near.find(({ far }) => far === least)?.one);
    }));
  });

  it.each<[wanted: string, known: string[], near: string | undefined]>([
    ['requestTimeout', ['queueTimeout', 'idleTimeout'], undefined],
    ['code', ['HOME', 'LANG'], undefined],
    ['a', ['b'], undefined],
    ['port', ['path'], undefined],
    ['sorce', ['source'], 'source'],
    ['raeder', ['reader'], 'reader'],
    ['tset', ['test'], 'test'],
    ['quueTimeuot', ['queueTimeout'], 'queueTimeout'],
    ['max_memory', ['maxMemory'], 'maxMemory'],
    ['HOEM', ['HOME'], 'HOME'],
  ])('%s among %j', (wanted, known, near) => expect(closest(wanted, known)).toBe(near));

  it('takes no time for names that nobody types', () => {
    const known = Array.from({ length: 60_000 }, (_, n) => `component-${n}`);
    expect(costOf(() => closest('komponent-77', known))).toBeLessThan(1500);
    expect(costOf(() => expect(closest('x'.repeat(1_000_000), ['x'.repeat(999_999)])).toBeUndefined())).toBeLessThan(500);
  });
});

describe('isError', () => {
  it.each(['Error', 'RangeError', 'AggregateError', '(class Own extends Error {})'])('knows a %s of another realm, which is no instance of Error', (name) => {
    const stranger: unknown = runInNewContext(`new (${name})([])`);
    expect(stranger instanceof Error).toBe(false);
    expect(isError(stranger)).toBe(true);
  });

  it.each([new TypeError('x'), new DOMException('x', 'AbortError'), Object.create(Error.prototype) as unknown])('knows %s', (error) => expect(isError(error)).toBe(true));

  it.each([undefined, null, 'Error', { name: 'Error', message: 'x' }, Error, () => {}])('takes %s for none', (value) => expect(isError(value)).toBe(false));
});
