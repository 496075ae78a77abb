// Aliases and `<<`: what they stand for, and where that ends.
import { describe, expect, it } from 'vitest';
import { composeYaml } from '../../src/yaml/compose.js';
import { resolveYaml } from '../../src/yaml/resolve.js';
import { costOf, HOSTILE_YAML } from '../helpers/hostile-yaml.js';

function read(text: string, merge = true) {
  const { document, faults, lines } = composeYaml(text, { merge });
  const told = faults.map(({ offset, message }) => `${lines.linePos(offset).line}: ${message}`);
  if (document && told.length === 0) resolveYaml(document, (node, message) => told.push(`${lines.linePos(node?.range?.[0] ?? 0).line}: ${message}`), { merge });
  return told.length > 0 ? told : (document!.toJS() as unknown);
}

describe('resolveYaml', () => {
  it.each([
    ['an alias is the last anchor before it', 'a: &x 1\nb: &y [*x]\nc: &x 2\nd: *y\ne: *x', { a: 1, b: [1], c: 2, d: [1], e: 2 }],
    ["a map's own keys win over merged ones, wherever they stand", 'm: &m {a: 1, b: 2}\nn: {a: 3, <<: *m}\no: {<<: *m, a: 3}', { m: { a: 1, b: 2 }, n: { a: 3, b: 2 }, o: { b: 2, a: 3 } }],
    ['earlier maps win over later ones', 'x: {<<: [{a: 1}, {a: 2, b: 2}]}', { x: { a: 1, b: 2 } }],
    ['a merge takes in what was merged', 'l: &l {a: 1}\nm: &m {<<: *l, b: 2}\nn: {<<: *m, c: 3}', { l: { a: 1 }, m: { a: 1, b: 2 }, n: { a: 1, b: 2, c: 3 } }],
    ['a merge may take a list behind an alias', 'l: &l [{a: 1}, {b: 2}]\nm: {<<: *l}', { l: [{ a: 1 }, { b: 2 }], m: { a: 1, b: 2 } }],
    ['keys may be aliases', 'a: &k key\n*k : 1', { a: 'key', key: 1 }],
    ['a quoted << is a key', '"<<": 1', { '<<': 1 }],
    ['names of objects are keys', 'a: {__proto__: 1}', JSON.parse('{"a":{"__proto__":1}}') as object],
  ])('%s', (_, text, expected) => expect(read(text)).toEqual(expected));

  it('merges that double are what they are: one key', () => {
    const doubling = HOSTILE_YAML.find(([name]) => name === 'merges that double')![1];
    expect(read(doubling)).toMatchObject({ 'x-0': { a: 1 }, 'x-60': { a: 1 } });
  });

  it('without merging << is a key', () => expect(read('a: {<<: {b: 1}}', false)).toEqual({ a: { '<<': { b: 1 } } }));

  it.each([
    ['a: 1\nb: *c', ['2: *c stands for nothing']],
    ['a: &a\n  b: *a', ['2: *a stands for itself']],
    ['a: &a\n  <<: *a', ['2: *a stands for itself']],
    ['a: {<<: 1}', ['1: << takes in maps']],
    ['a: 1\na: 2', ['2: Map keys must be unique']],
    ['? [a]\n: 1', ['1: a map or a list cannot be a key']],
    ['a: 1\n---\nb: 2', ['2: one document is expected, this file holds several']],
  ])('%j is refused', (text, expected) => expect(read(text)).toEqual(expected));

  it.each(HOSTILE_YAML)('%s: it is read or refused, soon', (_, text) => {
    let result: unknown;
    expect(costOf(() => (result = read(text)))).toBeLessThan(5000);
    if (Array.isArray(result)) expect(result[0]).not.toMatch(/call stack|undefined|cannot read/i);
  });
});
