// What comes from elsewhere is made fit for a terminal.
import { describe, expect, it } from 'vitest';
import { fitForTerminal, printable, printableLines, shortened } from '../src/printable.js';
import { costOf } from './helpers/hostile-yaml.js';

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

describe('what a program printed, at a terminal', () => {
  const E = '\u001B';
  it.each<[what: string, line: string, coloured: string, plain: string]>([
    ['colours', `${E}[1;31mred${E}[0m and ${E}[38;5;208morange${E}[38:2::1:2:3mx`, `${E}[1;31mred${E}[0m and ${E}[38;5;208morange${E}[38:2::1:2:3mx${E}[0m`, 'red and orangex'],
    ['cursor, screen, modes', `a${E}[2J${E}[H${E}[?25l${E}[?1049h${E}[10;20Hb${E}7${E}8${E}M${E}c${E}(0d`, 'abd', 'abd'],
    ['titles, links, pictures', `a${E}]0;owned\u0007b${E}]8;;http://x${E}\\c${E}Pq#0~${E}\\d${E}_x${E}\\e`, 'abcde', 'abcde'],
    ['codes of eight bits', 'a\u009B2Jb\u009D0;x\u009Cc\u0085d', 'abc\\u0085d', 'abc\\u0085d'],
    ['what does not end', `a${E}]0;for ever`, 'a', 'a'],
    ['halves', `a${E}`, 'a\\u001b', 'a\\u001b'],
    ['bells, tabs, marks of direction', 'a\u0007\tb\u202E', 'a\\u0007\tb\\u202e', 'a\\u0007\tb\\u202e'],
    ['progress', '10 %\r20 %\rdone\r', 'done', 'done'],
    ['nothing', '', '', ''],
  ])('%s', (_what, line, coloured, plain) => {
    expect(fitForTerminal(line, { colour: true })).toBe(coloured);
    expect(fitForTerminal(line, { colour: false })).toBe(plain);
  });

  it.each([`${'\u001B['.repeat(100_000)}`, `\u001B[${'0'.repeat(200_000)}`, `${'\u001B]x'.repeat(60_000)}`, `${'\u001B[0 '.repeat(50_000)}`])('takes a time that grows with the line: %#', (line) => {
    expect(costOf(() => fitForTerminal(line, { colour: true }))).toBeLessThan(3000);
  });
});
