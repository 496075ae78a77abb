// Syntax newer than ES2022 through both compilers: a file is the same with a standard decorator in it and without one. A Node that does not
// know a syntax says so of both.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryProject } from '../helpers/compile.js';

/** Each leaves what it has found in `is`. */
const SOURCES: Readonly<Record<string, string>> = {
  'import attributes': `import data from './data.json' with { type: 'json' }; export const is = data.says;`,
  'import attributes of a namespace': `import * as all from './data.json' with { type: 'json' }; export const is = all.default.says;`,
  'import attributes of a re-export': `export { default as is } from './data.json' with { type: 'json' };`,
  'import attributes of a re-exported namespace': `export * as is from './data.json' with { type: 'json' };`,
  'import attributes alone': `import './data.json' with { type: 'json' }; export const is = 'loaded';`,
  'import attributes, dynamic': `export const is = (await import('./data.json', { with: { type: 'json' } })).default.says;`,
  'import attributes, dynamic and computed': `const options = { with: { type: 'json' } }; export const is = (await import('./data' + '.json', options)).default.says;`,
  'using': `const said: string[] = []; { using one = { [Symbol.dispose]() { said.push('disposed'); } }; said.push('used'); } export const is = said;`,
  'await using': `const said: string[] = []; { await using one = { async [Symbol.asyncDispose]() { said.push('disposed'); } }; said.push('used'); } export const is = said;`,
  'accessors': `class Counter { accessor count = 1; static accessor all = 2; } const counter = new Counter(); counter.count++; export const is = [counter.count, Counter.all, Object.keys(counter)];`,
  'flag v': `export const is = [/^[\\p{L}--[a-z]]$/v.test('B'), /^[\\p{L}--[a-z]]$/v.test('b')];`,
  'modifiers in a pattern': `export const is = /^(?i:a)b$/.test('Ab');`,
  'groups of one name': `export const is = /(?<x>a)|(?<x>b)/.exec('b')?.groups?.['x'];`,
  'names that are texts': `const value = 'named'; export { value as 'is' };`,
  'private names in an object': `class Own { #own = 1; static has(value: object) { return #own in value; } } export const is = [Own.has(new Own()), Own.has({})];`,
  'static blocks': `class Made { static made: string; static { this.made = 'in a block'; } } export const is = Made.made;`,
  'class fields': `class Base { set x(_: number) { throw new Error('assigned'); } } class Derived extends Base { x = 1; } export const is = Object.keys(new Derived());`,
  'a hashbang': `#!/usr/bin/env node\nexport const is = 'after it';`,
  'import.meta': `export const is = [import.meta.url.slice(0, 5), typeof import.meta.dirname, import.meta.resolve('./x').slice(0, 5)];`,
  'deferred imports': `import defer * as later from './later.js'; export const is = later.is;`,
  'imports of a source': `import source later from './later.wasm'; export const is = typeof later;`,
  'enums and namespaces': `enum Level { Low = 1, High } namespace Space { export const inside = Level.High; } export const is = [Space.inside, Level[1]];`,
  'line separators in texts': `export const is = '\u2028'.length;`,
  'satisfies': `export const is = { a: 1 } satisfies { a: number };`,
};
const DECORATED = `
const decorate = <T>(target: T, _context: unknown): T => target;
@decorate export class Decorated { @decorate method() {} }
`;

const folder = temporaryProject();
const found: Record<string, { plain: unknown; decorated: unknown }> = {};

beforeAll(() => {
  writeFileSync(join(folder, 'data.json'), '{ "says": "data" }');
  writeFileSync(join(folder, 'later.js'), `export const is = 'later';`);
  Object.entries(SOURCES).forEach(([, source], at) => {
    writeFileSync(join(folder, `plain-${at}.ts`), source);
    writeFileSync(join(folder, `decorated-${at}.ts`), source + DECORATED);
  });
  writeFileSync(join(folder, 'main.ts'), `const found: unknown[] = [];
const ask = (file: string) => import(file).then(({ is }) => ({ is }), (error) => ({ error: error.name }));
for (let at = 0; at < ${Object.keys(SOURCES).length}; at++) found.push({ plain: await ask('./plain-' + at + '.ts'), decorated: await ask('./decorated-' + at + '.ts') });
console.log(JSON.stringify(found));
`);
  const { stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', '--import', 'mimas/register', 'main.ts'], { cwd: folder, encoding: 'utf8', timeout: 120_000 });
  if (stdout === '') throw new Error(stderr);
  const all = JSON.parse(stdout) as (typeof found)[string][];
  Object.keys(SOURCES).forEach((name, at) => (found[name] = all[at]!));
}, 120_000);

describe('newer syntax', () => {
  it.each(Object.keys(SOURCES))('%s: the same with standard decorators and without', (name) => {
    expect(found[name]!.decorated).toEqual(found[name]!.plain);
  });

  it('what this Node knows is there', () => {
    const json = ['import attributes', 'import attributes of a namespace', 'import attributes, dynamic', 'import attributes, dynamic and computed'];
    for (const name of json) expect(found[name]!.decorated).toEqual({ is: 'data' });
    expect(found['using']!.decorated).toEqual({ is: ['used', 'disposed'] });
    expect(found['accessors']!.decorated).toEqual({ is: [2, 2, []] });
    const unknown = Object.keys(SOURCES).filter((name) => 'error' in (found[name]!.plain as object));
    expect(unknown.filter((name) => !['modifiers in a pattern', 'groups of one name', 'deferred imports', 'imports of a source'].includes(name))).toEqual([]);
  });
});
