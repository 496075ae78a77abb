// TypeScript of CommonJS packages, and .cts anywhere: what CommonJS has around a file works in each isolation; where it does not, the error
// says what to write.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { withCommonJs, importsForRequires } from '../../src/runtime/typescript/commonjs.js';
import { temporaryProject } from '../helpers/compile.js';

const folder = temporaryProject('reflect-metadata');
const write = (name: string, text: string) => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
};
/** A process whose method gives `code`. `kind`: which decorators, and so which compiler. */
const processFile = (head: string, code: string, kind: 'standard' | 'legacy') => `${head}
import { Process, Public } from 'mimas';
${kind === 'legacy' ? "import 'reflect-metadata';\n" : ''}@Process({ name: 'old' })
export default class Old { @Public() is(): unknown { return ${code}; } }
`;
const CASES: Readonly<Record<string, readonly [head: string, code: string, is: unknown]>> = {
  '__dirname and __filename': ['', "[__dirname.split('/').at(-1), __filename.split('/').at(-1)!.split('-')[0]]", ['src', 'file']],
  'require of a builtin, a package and JSON': ['', "[require('node:path').sep, require('dep').is, require('./data.json').says]", ['/', 'dep', 'data']],
  'require.resolve': ['', "require.resolve('./data.json').split('/').at(-1)", 'data.json'],
  'import = require of a builtin': ["import path = require('node:path');", 'path.sep', '/'],
  'import = require of a package': ["import dep = require('dep');", 'dep.is', 'dep'],
  'import = require of JSON': ["import data = require('./data.json');", 'data.says', 'data'],
  'import = require of JavaScript': ["import legacy = require('./legacy.cjs');", 'legacy()', 'legacy'],
  'import = require of TypeScript': ["import other = require('./other');", 'other.word', 'other'],
  'import = require of TypeScript that assigns its exports': ["import assigned = require('./assigned.js');", 'assigned()', 'assigned'],
  'import of .cts by its output': ["import { word } from './inner.cjs';", 'word', 'inner.cts of src'],
  'JSON without attribute': ["import data from './data.json';", 'data.says', 'data'],
  'names of JSON without attribute': ["import { says } from './data.json';\nimport * as all from './data.json';", '[says, all.says]', ['data', 'data']],
  'JSON with its attribute': ["import data from './data.json' with { type: 'json' };", 'data.says', 'data'],
  'names of its own': ["const __dirname = 'own'; const module = { exports: 'own' };", '[__dirname, module.exports, ((require: string) => require)(\'own\')]', ['own', 'own', 'own']],
};
const KINDS = ['standard', 'legacy'] as const;
const ISOLATIONS = ['none', 'worker', 'child'];
const file = (at: number, kind: string, end: string) => `old/src/file-${at}-${kind}.process${end}`;

const LOADS: Readonly<Record<string, readonly [source: string, message: RegExp]>> = {
  '__dirname': ['export const at = __dirname;', /__dirname is not defined.* \(in an ES module write `import\.meta\.dirname`/],
  'require': ["export const at = require('node:path');", /require is not defined.* \(in an ES module write `import`, or `createRequire/],
  'module': ['module.exports = 1;', /module is not defined.* \(in an ES module write `export default`/],
  'JSON without attribute': ["import data from './data.json'; export const says = data;", /needs an import attribute of "?type: json|type.*json/],
};

let said: Record<string, unknown> = {};
beforeAll(() => {
  write('old/package.json', '{ "name": "old" }');
  write('old/node_modules/dep/package.json', '{ "name": "dep" }');
  write('old/node_modules/dep/index.js', "exports.is = 'dep';");
  write('old/src/data.json', '{ "says": "data", "default": 1, "with a space": 2 }');
  write('old/src/legacy.cjs', "module.exports = () => 'legacy';");
  write('old/src/other.ts', "export const word: string = 'other';");
  write('old/src/assigned.ts', "const assigned = (): string => 'assigned';\nexport = assigned;");
  write('old/src/inner.cts', "import path = require('node:path');\nexport const word: string = 'inner.cts of ' + path.basename(__dirname);");
  Object.values(CASES).forEach(([head, code], at) => KINDS.forEach((kind) => write(file(at, kind, '.ts'), processFile(head, code, kind))));
  write(file(0, 'standard', '.cts'), processFile('', CASES['__dirname and __filename']![1], 'standard'));
  write('assigned.process.cts', "import mimas = require('mimas');\n@mimas.Process({ name: 'a' }) class Assigned { @mimas.Public() is() { return 'export ='; } }\nexport = Assigned;\n");
  write('written.process.cjs', "const { Process, Public } = require('mimas');\nclass Written { is() { return __filename.split('/').pop(); } }\nPublic()(Written.prototype, 'is', Object.getOwnPropertyDescriptor(Written.prototype, 'is'));\nProcess({ name: 'w' })(Written);\nmodule.exports = Written;\n");
  write('data.json', '{}');
  Object.values(LOADS).forEach(([source], at) => write(`refused-${at}.process.ts`, source));
  const paths = [
    ...Object.keys(CASES).flatMap((_, at) => KINDS.map((kind) => file(at, kind, '.ts'))), file(0, 'standard', '.cts'), 'assigned.process.cts',
    // Node 20.19 and 22.12 are the first whose require takes an ES module, as this package is one; they warn of it.
    'written.process.cjs',
  ];
  write('main.mjs', `import { createProcessManager } from 'mimas';
const pm = createProcessManager({ output: 'capture' });
const said = {};
for (const isolation of ${JSON.stringify(ISOLATIONS)}) for (const file of ${JSON.stringify(paths)}) {
  said[isolation + ' ' + file] = await pm.spawn(file, { isolation }).then(async (old) => { const is = await old.is(); await pm.stop(old); return is; }).catch((error) => error.message);
}
for (const file of ${JSON.stringify(Object.keys(LOADS).map((_, at) => `refused-${at}.process.ts`))}) said[file] = await pm.spawn(file).then(() => 'it loaded', (error) => error.message);
console.log(JSON.stringify(said));
await pm.shutdown();
`);
  const { stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', 'main.mjs'], { cwd: folder, encoding: 'utf8', timeout: 290_000 });
  if (stdout === '') throw new Error(stderr);
  said = JSON.parse(stdout) as typeof said;
}, 300_000);

describe.each(ISOLATIONS)('isolation %s', (isolation) => {
  it.each(Object.keys(CASES))('%s', (name) => {
    const at = Object.keys(CASES).indexOf(name);
    expect(KINDS.map((kind) => said[`${isolation} ${file(at, kind, '.ts')}`])).toEqual(KINDS.map(() => CASES[name]![2]));
  });

  it('process files with .cts and .cjs', () => {
    expect(said[`${isolation} ${file(0, 'standard', '.cts')}`]).toEqual(['src', 'file']);
    expect(said[`${isolation} assigned.process.cts`]).toBe('export =');
    expect(said[`${isolation} written.process.cjs`]).toBe('written.process.cjs');
  });
});

it.each(Object.keys(LOADS))('in an ES module the error says what to write: %s', (name) => {
  expect(said[`refused-${Object.keys(LOADS).indexOf(name)}.process.ts`]).toMatch(LOADS[name]![1]);
});

it('moves no line, and leaves alone what is not its own', () => {
  expect(withCommonJs('#!/usr/bin/env node\n__mimas_require;\n//# sourceMappingURL=x', '').split('\n')).toEqual([expect.stringMatching(/^const __mimas_require = .*; $/), '__mimas_require;', '//# sourceMappingURL=x']);
  expect(withCommonJs('const a = 1;', 'const a = 1;')).toBe('const a = 1;');
  expect(importsForRequires('/x/a.ts', "import fs = require('node:fs');\nimport x = require('./not-there');")).toBe("import fs = require('node:fs');\nimport x = require('./not-there');");
});
