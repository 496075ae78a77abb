// Manifests that are trusted and broken: told, soon, with the file and a line; the other patterns are there.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { discoverPatterns, readManifest } from 'mimas/launcher';
import { describe, expect, it } from 'vitest';
import { costOf, HOSTILE_YAML } from '../helpers/hostile-yaml.js';
import { temporaryFolder } from '../helpers/temporary.js';

const folder = temporaryFolder('mimas-hostile-');
const GOOD = `name: good\nversion: 1.0.0\nexecutable: ${process.execPath}\nenvironment: {A: b}\nhealthcheck: {port: 9090, path: /health, interval: 1s}\nbackend_slots: [{name: a, type: b}]\n`;
const file = join(folder, 'manifest.yaml');
const keys = (count: number, key: (n: number) => string): string => Array.from({ length: count }, (_, n) => `${key(n)}\n`).join('');

function read(text: string) {
  writeFileSync(file, text);
  let result: ReturnType<typeof readManifest>;
  expect(costOf(() => (result = readManifest(file)))).toBeLessThan(5000);
  return result!;
}

const told = (text: string): string[] => {
  const result = read(text);
  return 'problems' in result ? result.problems.map(({ line, message }) => `${line}: ${message}`) : [];
};

describe('readManifest', () => {
  it.each(HOSTILE_YAML)('%s', (_, text) => {
    const problems = told(text);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.length).toBeLessThan(60);
    for (const problem of problems) expect(problem).not.toMatch(/call stack|is not a function|undefined|not iterable/);
  });

  it.each([
    ['unknown keys', GOOD + keys(15_000, (n) => `key-${n}: 1`), "validate manifest: unknown key 'key-0'"],
    ['many variables', GOOD.replace('{A: b}', `\n${keys(20_000, (n) => `  V${n}: 1`)}`), undefined],
    ['variables that cannot be', GOOD.replace('{A: b}', `\n${keys(15_000, (n) => `  "V=${n}": 1`)}`), 'cannot be an environment variable'],
    ['many slots', GOOD.replace('[{name: a, type: b}]', `\n${keys(8000, () => '  - {nam: a}')}`), "unknown key 'backend_slots.0.nam'; did you mean 'name'?"],
    ['a time with many blanks', GOOD.replace('1s', `"1${' '.repeat(900_000)}x"`), 'is not a duration'],
    ['a long path', GOOD.replace(process.execPath, 'a/../'.repeat(190_000)), 'executable is longer than 4096 characters'],
    ['more than a megabyte', GOOD + '# x\n'.repeat(300_000), 'larger than 1 MB'],
  ])('%s', (_, text, expected) => {
    const problems = told(text);
    if (expected === undefined) return expect(problems).toEqual([]);
    expect(problems[0]).toContain(expected);
    return expect(problems.length).toBeLessThanOrEqual(51);
  });

  it('any text is read or refused, never thrown at', { timeout: 60_000 }, () => {
    const word = fc.oneof(fc.constantFrom(...GOOD.split(/(?<=[\s:{},[\]])/), '*a', '&a ', '<<: ', '!!set ', '"', '---\n', '\u0000', '\uD800', '? ', '- '), fc.string({ unit: 'binary', maxLength: 5 }));
    const cut = fc.tuple(fc.nat(GOOD.length), fc.nat(10), fc.array(word, { maxLength: 4 })).map(([at, length, put]) => GOOD.slice(0, at) + put.join('') + GOOD.slice(at + length));
    fc.assert(fc.property(fc.oneof(cut, fc.array(word, { maxLength: 40 }).map((words) => words.join(''))), (text) => {
      for (const problem of told(text)) expect(problem).not.toMatch(/is not a function|of undefined|of null|not iterable|call stack|Cannot convert/);
    }), { numRuns: 500 });
  });
});

it('a bad manifest hides no good one, and its text is told escaped', () => {
  const root = join(folder, 'patterns');
  for (const [name, text] of [['good', GOOD], ['bad', `${GOOD}"\\e]0;x\\a": 1\n`], ['bomb', HOSTILE_YAML.find(([name]) => name === 'an alias bomb')![1]]] as const) {
    mkdirSync(join(root, name), { recursive: true });
    writeFileSync(join(root, name, 'manifest.yaml'), text);
  }
  const { patterns, problems } = discoverPatterns(root);
  expect([...patterns.keys()]).toEqual(['good']);
  expect(problems.length).toBe(2);
});
