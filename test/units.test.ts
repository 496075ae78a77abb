// Sizes and durations as people write them; what is none is refused by name.
import { expect, it } from 'vitest';
import { InvalidOptionError } from 'mimas';
import { parseBytes, parseDuration } from '../src/units.js';

const KIB = 1024;
it.each([
  ['k', KIB], ['m', KIB ** 2], ['g', KIB ** 3], ['t', KIB ** 4],
])('a size in %s is written with or without i and b, in any case', (unit, bytes) => {
  const spellings = ['', 'b', 'i', 'ib'].flatMap((end) => [`${unit}${end}`, `${unit}${end}`.toUpperCase(), `${unit.toUpperCase()}${end}`]);
  for (const spelling of spellings) expect([spelling, parseBytes(`1.5${spelling}`), parseBytes(` 512 ${spelling} `)]).toEqual([spelling, 1.5 * bytes, 512 * bytes]);
});

it('a size is bytes when it names no unit', () => {
  expect([parseBytes(10), parseBytes('10'), parseBytes('10b'), parseBytes(0.9)]).toEqual([10, 10, 10, 0]);
});

it.each(['much', '', 'i', '5i', '5 Mii', '5 Mbi', '-5M', '5 m m', '5x', NaN, -1, Infinity, '1e3'])('%o is no size', (text) => {
  expect(() => parseBytes(text, 'resources.maxMemory')).toThrow(InvalidOptionError);
  expect(() => parseBytes(text, 'resources.maxMemory')).toThrow(/^resources\.maxMemory: .* is not a size/);
});

it.each(['soon', '5 Mi', -1, NaN])('%o is no duration', (text) => {
  expect(() => parseDuration(text)).toThrow(InvalidOptionError);
});
