// JavaScript in which a bundler left decorators: it loads everywhere, or says where and what to do.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createProcessManager, type Isolation } from 'mimas';
import { temporaryProject } from '../helpers/compile.js';

interface Calc { add(a: number, b: number): number; twice(n: number): number; fail(): never }

const folder = temporaryProject();
const HEAD = "import { Process, Public } from 'mimas';";
const BODY = `{ @Public() add(a, b) { return a + b; }\n  @Public() twice(n) { return n * 2; }\n  @Public() fail() { throw new RangeError('x'); } }`;

/** Name to the files that it takes; the first is spawned. */
const SHAPES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'an ES module': { 'esm.process.mjs': `${HEAD}\n@Process({ name: 'raw' })\nexport default class Raw ${BODY}\n` },
  'an ES module with the class in an expression': { 'expression.process.mjs': `${HEAD}\nvar Raw = @Process({ name: 'raw' }) class ${BODY};\nexport { Raw as default };\n` },
  'an ES module whose class extends one of another file': {
    'extended.process.mjs': `${HEAD}\nimport { Base } from './chunk.mjs';\n@Process({ name: 'raw' })\nexport default class Raw extends Base { @Public() add(a, b) { return a + b; } }\n`,
    'chunk.mjs': `import { Public } from 'mimas';\nexport class Base { @Public() twice(n) { return n * 2; }\n  @Public() fail() { throw new RangeError('x'); } }\n`,
  },
  'an ES module in one line that begins with something else': { 'line.process.mjs': `var a=1;import{Process as P,Public as M}from"mimas";var R=@P({name:"raw"})class{@M()add(a,b){return a+b}@M()twice(n){return n*2}@M()fail(){throw new RangeError("x")}};export{R as default};` },
  'a CommonJS module': {
    'common/raw.process.js': `"use strict";\nvar import_mimas = require('mimas');\nvar Raw = @((0, import_mimas.Process)({ name: 'raw' })) class ${BODY.replaceAll('@Public()', '@((0, import_mimas.Public)())')};\nObject.defineProperty(exports, '__esModule', { value: true });\nexports.default = Raw;\n`,
    'common/package.json': '{ "type": "commonjs" }',
  },
};
for (const files of Object.values(SHAPES)) {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

const pm = createProcessManager();
afterAll(() => pm.shutdown());

describe.each(Object.entries(SHAPES))('%s with decorators', (_, files) => {
  const file = join(folder, Object.keys(files)[0]!);

  it.each(['none', 'worker', 'child'] satisfies Isolation[])('runs in %s, also after a restart', async (isolation) => {
    const calc = await pm.spawn<Calc>(file, { isolation });
    expect([await calc.add(1, 2), await calc.twice(4)]).toEqual([3, 8]);
    await calc.$handle.restart();
    expect(await calc.add(2, 3)).toBe(5);
    await expect(calc.fail()).rejects.toThrow(RangeError);
  });
});

it.each(['none', 'worker'] satisfies Isolation[])('what cannot be compiled is told with file, line and cure: %s', async (isolation) => {
  const file = join(folder, 'parameter.process.mjs');
  writeFileSync(file, `${HEAD}\nconst marked = () => {};\n@Process()\nexport default class Raw { @Public() add(@marked a, b) { return a + b; } }\n`);
  await expect(pm.spawn(file, { isolation })).rejects.toMatchObject({ code: 'PROCESS_START_FAILED', phase: 'load', message: expect.stringMatching(/a bundler left a decorator there, have it compile decorators .*parameter\.process\.mjs:4:/) as string });
});

it('other syntax errors of such a file are told with their place', async () => {
  const file = join(folder, 'wrong.process.mjs');
  writeFileSync(file, `${HEAD}\n@Process()\nexport default class Raw { @Public() add(a, b) { return a + ; } }\n`);
  await expect(pm.spawn(file)).rejects.toThrow(/wrong\.process\.mjs:3:\d+/);
});
