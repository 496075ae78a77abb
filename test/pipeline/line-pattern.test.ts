// Patterns of users: as JavaScript has them where RE2 can, matched in bounded time, refused by name where it cannot.
import { describe, expect, it } from 'vitest';
import { linePattern, LinePatterns, LOOKED_AT, LONGEST_PATTERN } from '../../src/pipeline/line-pattern.js';
import { costOf } from '../helpers/hostile-yaml.js';

describe('a pattern', () => {
  it.each([
    ['ready', 'it is ready now', 'it is red'],
    ['^listening on (?:port )?\\d+$', 'listening on port 80', 'not listening on port 80'],
    ['(?<level>INFO|WARN)\\s+up', 'INFO  up', 'ERROR up'],
    ['\\u0041\\/b', 'A/b', 'a/b'],
    ['[\\]()?=!<]+x', '(?=x', 'x'],
    ['\\(\\?=', '(?=', '('],
    ['\\\\1', '\\1', '1'],
    ['[\\d(?=]ok', '=ok', 'no'],
    ['grün|✓', 'alles ✓', 'gelb'],
    ['(a+)+$', 'baaa', 'aaab'],
  ])('%s', (pattern, fits, other) => {
    expect([linePattern(pattern).test(fits), linePattern(pattern).test(other)]).toEqual([true, false]);
    expect(new RegExp(pattern).test(fits)).toBe(true);
    expect(String(linePattern(pattern))).toBe(`/${pattern}/`);
  });

  it.each([
    ['ready(?=!)', '(?=: lookahead cannot be matched in bounded time'],
    ['(?!error)x', '(?!: lookahead cannot be'],
    ['(?<=a)b', '(?<=: lookbehind cannot be'],
    ['(?<!a)b', '(?<!: lookbehind cannot be'],
    ['(a)\\1', '\\1: a reference to a group cannot be'],
    ['(?<n>a)\\k<n>', '\\k<: a reference to a group cannot be'],
    ['(', 'not a pattern: missing closing )'],
    ['a{1001}', 'not a pattern: invalid repeat count'],
    ['a'.repeat(LONGEST_PATTERN + 1), `a pattern has at most ${LONGEST_PATTERN} characters`],
  ])('%s is refused', (pattern, message) => expect(() => linePattern(pattern)).toThrow(message));

  it.each(['(a+)+$', '(a|aa)+$', '(a*)*b', '([ab]*a){20}c', '(a{0,30}){0,30}c', 'a*a*a*a*a*c', '[ab]*a[ab]{400}c', '(.*)*=(.*)*;'])('%s looks at a long line in bounded time', (pattern) => {
    const compiled = linePattern(pattern);
    expect(costOf(() => expect(compiled.test(`${'a'.repeat(200_000)}!`)).toBe(false))).toBeLessThan(3000);
  });

  it('looks at the first part of a line', () => {
    expect(linePattern('end').test(`${'.'.repeat(LOOKED_AT - 3)}end`)).toBe(true);
    expect(linePattern('end').test(`${'.'.repeat(LOOKED_AT)}end`)).toBe(false);
    expect(linePattern('\\.$').test('.'.repeat(LOOKED_AT + 1))).toBe(false);
  });

  it('is compiled once; all together are bounded', () => {
    const patterns = new LinePatterns();
    expect(patterns.compile('a')).toBe(patterns.compile('a'));
    expect(() => {
      for (let n = 0; n < 100_000; n++) patterns.compile(`${n}`);
    }).toThrow('more than can be compiled');
  });
});

it('matches a line as it is and as it reads without its colours', () => {
  const line = '\u001B[32m✔\u001B[39m \u001B[1mlistening\u001B[0m on \u001B[4m8080\u001B[0m';
  expect([linePattern('^✔ listening on \\d+$').test(line), linePattern('\\x1b\\[32m').test(line), linePattern('^listening').test(line)]).toEqual([true, true, false]);
});
