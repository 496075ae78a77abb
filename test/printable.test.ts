// What comes from elsewhere is made fit for a terminal.
import { describe, expect, it } from 'vitest';
import { printable, printableLines, shortened } from '../src/printable.js';

describe('printable', () => {
  it.each([
    ['\u001B[2J\u001B]0;title\u0007', '\\u001b[2J\\u001b]0;title\\u0007'],
    ['a\nb\r\tc', 'a\\nb\\r\\tc'],
    ['\u009B31m\u007F', '\\u009b31m\\u007f'],
    ['safe\u202Etxt.exe\u2066\u2028', 'safe\\u202etxt.exe\\u2066\\u2028'],
    ['half \uD83D of a pair', 'half \\ud83d of a pair'],
    ['Grüße, שלום, 漢字, 😀', 'Grüße, שלום, 漢字, 😀'],
  ])('%j', (text, expected) => expect(printable(text)).toBe(expected));

  it('lines may be left as lines', () => expect(printableLines('a\n\tb\u001B')).toBe('a\n\tb\\u001b'));

  it('a JSON text stays the same value', () => {
    const value = { 'a\u009B': 'b\u202E\u001B\n\u007F\uD800😀' };
    expect(JSON.parse(printable(JSON.stringify(value)))).toEqual(value);
  });

  it('what is long is cut', () => expect([shortened('abc', 3), shortened('abcd', 3)]).toEqual(['abc', 'abc…']));
});
