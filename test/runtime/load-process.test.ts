// Loading and constructing: what works, and every way it can fail with phase, file, cause and advice.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ProcessStartError } from '../../src/errors.js';
import { constructProcess, loadProcessClass } from '../../src/runtime/load-process.js';
import { broken } from '../fixtures/runtime/broken.js';
import { root, temporaryProject } from '../helpers/compile.js';

const brokenProject = temporaryProject();
for (const [name, source] of Object.entries(broken)) writeFileSync(join(brokenProject, name), source);

/** Loads in a plain Node program: vitest's own loader has other words for the same errors. */
function failure(name: string): { readonly code: string; readonly phase: string; readonly file: string; readonly message: string; readonly cause: string } {
  const file = join(brokenProject, name);
  const source = `import { constructProcess, loadProcessClass } from '#mimas/runtime/load-process.js';
    try { const { ctor } = await loadProcessClass(${JSON.stringify(file)}); await constructProcess(ctor); console.log('{}'); }
    catch (e) { console.log(JSON.stringify({ code: e.code, phase: e.phase, file: e.file, message: e.message, cause: String(e.cause) })); }`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', source], { encoding: 'utf8', cwd: root });
  expect(stderr).toBe('');
  const result = JSON.parse(stdout) as ReturnType<typeof failure>;
  expect(result).toMatchObject({ code: 'PROCESS_START_FAILED', file });
  expect(result.message).toContain(file);
  return result;
}

describe('a file that does not load says why', () => {
  it.each([
    ['syntax.ts', /syntax error: .*syntax\.ts:6:1/, 'SyntaxError'],
    ['syntax.mjs', /syntax error: .*syntax\.mjs:4:1/, 'SyntaxError'],
    ['throws.ts', /it threw while it was evaluated: RangeError: no database 1 \(.*throws\.ts:3\)/, 'RangeError: no database 1'],
    ['throws-text.mjs', /it threw plain text/, 'plain text'],
    ['no-default.ts', /no default export \(it exports only Calculator, helper\); write `export default class …`/, 'undefined'],
    ['nothing.mjs', /no default export \(it exports nothing\)/, 'undefined'],
    ['object.mjs', /its default export is an object, not a class/, 'undefined'],
    ['function.mjs', /its default export is a function \(add\), not a class/, 'undefined'],
    ['undecorated.ts', /the class Calculator has no @Process\(\); put `@Process\(\)` above/, 'undefined'],
    ['missing-import.ts', /an import of it was not found: .*nowhere\.js/, 'nowhere.js'],
    ['misuse.ts', /@Public on A\.create: a static member/, 'InvalidProcessError'],
    ['type-import.ts', /does not provide an export named 'Shape' \(if that is a type, write `import type`\)/, 'SyntaxError'],
  ])('%s', (name, message, cause) => {
    const error = failure(name);
    expect(error.phase).toBe('load');
    expect(error.message).toMatch(message);
    expect(error.cause).toContain(cause);
  });
});

it('a constructor that throws is a failure of phase construct', () => {
  expect(failure('constructor.ts')).toMatchObject({ phase: 'construct', cause: 'TypeError: no licence', message: expect.stringContaining('cannot construct A of') as string });
});

describe('in this thread', () => {
  const folder = temporaryProject('tsyringe', 'reflect-metadata');
  let serial = 0;
  const write = (source: string) => {
    const file = join(folder, `${++serial}.mjs`);
    writeFileSync(file, `import { Process, Public } from 'mimas';\n${source}`);
    return file;
  };

  it('gives the class and its spec, and the same class again', async () => {
    const file = write('export default class A {}\nProcess({ name: "a" })(A);');
    const first = await loadProcessClass(file);
    expect(first.spec.name).toBe('a');
    expect(await constructProcess(first.ctor)).toBeInstanceOf(first.ctor);
    expect((await loadProcessClass(file)).ctor).toBe(first.ctor);
    expect((await loadProcessClass(file, { version: 0 })).ctor).toBe(first.ctor);
  });

  it('evaluates the file anew for a version above 0', async () => {
    const file = write('export default class A {}\nProcess()(A);');
    const first = await loadProcessClass(file);
    const second = await loadProcessClass(file, { version: 1 });
    expect(second.ctor).not.toBe(first.ctor);
    expect((await loadProcessClass(file, { version: 1 })).ctor).toBe(second.ctor);
  });

  it('takes the default that a CommonJS compiler meant', async () => {
    const file = join(folder, 'compiled.cjs');
    writeFileSync(file, `const { createRequire } = require('node:module'); class A {} exports.default = A; Object.defineProperty(exports, '__esModule', { value: true });
      exports.ready = import('mimas').then(({ Process }) => Process({ name: 'cjs' })(A));`);
    const entry = write(`import compiled from './compiled.cjs'; await compiled.ready; export default compiled;`);
    expect((await loadProcessClass(entry)).spec.name).toBe('cjs');
  });

  it('constructs a plain class without arguments, whatever the dependencies', async () => {
    const { ctor } = await loadProcessClass(write('export default class A { constructor(...args) { this.count = args.length; } }\nProcess()(A);'));
    expect(await constructProcess(ctor, { db: 1 })).toMatchObject({ count: 0 });
  });

  it('wraps what a constructor throws, also when it is no error', async () => {
    const { ctor } = await loadProcessClass(write('export default class A { constructor() { throw "no"; } }\nProcess()(A);'));
    await expect(constructProcess(ctor)).rejects.toThrow(ProcessStartError);
    await expect(constructProcess(ctor)).rejects.toMatchObject({ phase: 'construct', cause: 'no' });
  });

  const injectable = (parameters: string) => write(`import { injectable, inject } from 'tsyringe';
    export default class A { constructor(one, two) { this.one = one; this.two = two; } }
    inject('one')(A, undefined, 0); ${parameters} injectable()(A); Process()(A);`);

  it('injects dependencies by name, each object from a container of its own, null and undefined included', async () => {
    const { ctor } = await loadProcessClass(injectable(`inject('two')(A, undefined, 1);`));
    expect(await constructProcess(ctor, { one: { deep: 1 }, two: null })).toEqual({ one: { deep: 1 }, two: null });
    expect(await constructProcess(ctor, new Map([['one', 1], ['two', undefined]]))).toEqual({ one: 1, two: undefined });
  });

  it('says which dependency was not given', async () => {
    const { ctor } = await loadProcessClass(injectable(`inject('two')(A, undefined, 1);`));
    await expect(constructProcess(ctor, { one: 1 })).rejects.toMatchObject({ phase: 'construct', message: expect.stringMatching(/two/) as string });
    await expect(constructProcess(ctor)).rejects.toMatchObject({ phase: 'construct' });
  });
});
