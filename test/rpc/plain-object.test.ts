// The check for plain objects and the copies of it that records get.
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { isPlainObject, plainCheckOf } from '../../src/rpc/plain-object.js';
import { ValueCodec } from '../../src/rpc/codec.js';

class Point {
  x = 1;
}
const plain: [string, object][] = [['a literal', { x: 1 }], ['nothing', {}], ['no prototype', Object.assign(Object.create(null) as object, { x: 1 })]];
const other: [string, object][] = [
  ['an instance of a class', new Point()], ['what inherits', Object.create({ x: 1 }) as object], ['an iterable', { x: 1, *[Symbol.iterator]() {} }], ['an async iterable', { x: 1, async *[Symbol.asyncIterator]() {} }],
  ['a Map', new Map()], ['a Date', new Date()], ['an Error', Object.assign(new Error('no'), { x: 1 })],
];

describe.each([['the check', isPlainObject], ['a copy', plainCheckOf('x')]])('%s', (_, check) => {
  it.each(plain)('takes %s', (_, value) => expect(check(value)).toBe(true));
  it.each(other)('refuses %s', (_, value) => expect(check(value)).toBe(false));
});

it('a copy is made once for a list of keys, and for so many lists', () => {
  expect(plainCheckOf('a\0b')).toBe(plainCheckOf('a\0b'));
  expect(plainCheckOf('a\0b')).not.toBe(plainCheckOf('a\0c'));
  for (let i = 0; i < 300; i++) plainCheckOf(`key${i}`);
  expect(plainCheckOf('one more')).toBe(isPlainObject);
});

it('objects with the keys of a record are told from it when they are not plain, however often it was used', () => {
  const codec = new ValueCodec({ level: 'objects', maxFrame: 1e6 });
  const tagOf = (value: unknown) => codec.encode(value).tag & 7;
  for (let i = 0; i < 200; i++) expect(tagOf({ x: i, y: { z: i } })).toBe(1);
  for (const odd of [{ x: 1, y: Object.create({ z: 1 }) as object }, { x: 1, y: Object.assign(new Map(), { z: 1 }) }, { x: 1, y: Object.assign(new Point(), { z: 1 }) }]) expect(tagOf(odd)).toBe(3);
  expect(() => tagOf({ x: 1, y: { z: 1, *[Symbol.iterator]() {} } })).toThrow(/cannot be sent|not cloneable|stream/i);
  expect(tagOf({ x: 1, y: { z: 1 } })).toBe(1);
});

it('works where programs may not compile text', () => {
  const code = `import { createProcessManager } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
    const pm = createProcessManager({ isolation: 'none' });
    const process_ = await pm.spawn(${JSON.stringify(new URL('../../bench/serve/mimas.process.js', import.meta.url).href)});
    for (let i = 0; i < 300; i++) if ((await process_.echo({ a: i, b: { c: 'x' } })).b.c !== 'x') throw new Error('differs');
    await pm.shutdown();
    console.log('done');`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--disallow-code-generation-from-strings', '--input-type=module', '-e', code], { encoding: 'utf8', timeout: 30_000 });
  expect(stderr).toBe('');
  expect(stdout).toBe('done\n');
});
