// What a TypeScript process file reaches, by every form of specifier and every way to ask for it, in each isolation: one table, on every Node.
// The program runs without a test runner's loader; the project links this package, so that its own core counts as a workspace's, too.
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryProject } from '../helpers/compile.js';

const WAYS = ['import', 'import()', 'createRequire', 'require in CommonJS'] as const;
type Way = (typeof WAYS)[number];
type Outcome = string | Partial<Record<Way, string>>;
const ISOLATIONS = ['none', 'worker', 'child'] as const;

const folder = temporaryProject();
const url = (file: string) => pathToFileURL(join(folder, 'src', file)).href;
const imports = (outcome: string) => ({ import: outcome, 'import()': outcome });
const requires = (outcome: string) => ({ createRequire: outcome, 'require in CommonJS': outcome });
const NO_FILE = requires('MODULE_NOT_FOUND');
const NO_MODULE = imports('ERR_MODULE_NOT_FOUND');

/** Nodes without hooks in the thread show a `require` to no hook: TypeScript is reached by `import` there. */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const seesRequire = 'registerHooks' in nodeModule && (major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 19));
const typescript = (outcome: string): Outcome => (seesRequire ? outcome : imports(outcome));

const files: Readonly<Record<string, string>> = {
  'package.json': JSON.stringify({
    name: 'app',
    type: 'module',
    exports: { './self': './src/plain.ts', './self-legacy': './src/legacy.cjs' },
    imports: { '#plain': './src/plain.ts', '#legacy': './src/legacy.cjs', '#both': { import: './src/plain.ts', require: './src/legacy.cjs' }, '#dep': 'dep' },
  }),
  'tsconfig.json': '{ "compilerOptions": { "paths": { "@lib/*": ["./src/lib/*"] } } }',
  'src/plain.ts': `import { type Shape, word } from './word.js'; export const is: Shape = word;`,
  'src/word.ts': `export type Shape = string; export const word: Shape = 'plain';`,
  'src/output.js': `export const is = 'output';`,
  'src/legacy.cjs': `exports.is = require('./legacy-inner.cjs').is + require('./data.json').is + require('node:path').posix.sep;`,
  'src/legacy-inner.cjs': `exports.is = 'legacy+';`,
  'src/data.json': '{ "is": "data" }',
  'src/pair.ts': `export const is: string = 'pair.ts';`,
  'src/pair.json': '{ "is": "pair.json" }',
  'src/another-pair.ts': `export const is: string = 'pair.ts';`,
  'src/another-pair.json': '{ "is": "pair.json" }',
  'src/folder/index.ts': `export const is: string = 'folder';`,
  'src/index.ts': `export const is: string = 'index';`,
  'src/lib/alias.ts': `export const is: string = 'alias';`,
  'src/lib/alias-legacy.cjs': `exports.is = require('../legacy-inner.cjs').is + 'alias';`,
  'src/a b%41.cjs': `exports.is = 'escaped';`,
  'node_modules/dep/package.json': JSON.stringify({
    name: 'dep',
    exports: { '.': './index.js', './sub': './lib/sub.js', './dual': { import: './dual.mjs', require: './dual.cjs' }, './data.json': './data.json' },
  }),
  'node_modules/dep/index.js': `exports.is = 'dep' + require('./lib/sub').is;`,
  'node_modules/dep/lib/sub.js': `exports.is = 'sub';`,
  'node_modules/dep/dual.mjs': `export const is = 'dual import';`,
  'node_modules/dep/dual.cjs': `exports.is = 'dual require';`,
  'node_modules/dep/data.json': '{ "is": "dep data" }',
  'node_modules/old/package.json': '{ "name": "old", "main": "lib" }',
  'node_modules/old/lib/index.js': `exports.is = 'old' + require('..' + '/file').is;`,
  'node_modules/old/file.js': `exports.is = 'file';`,
  'packages/linked/package.json': '{ "name": "linked", "type": "module", "exports": { ".": "./index.ts", "./legacy": "./legacy.cjs" } }',
  'packages/linked/index.ts': `import { createRequire } from 'node:module'; import { word } from './word.js'; export const is: string = word + createRequire(import.meta.url)('./legacy.cjs').is;`,
  'packages/linked/word.ts': `export const word: string = 'linked+';`,
  'packages/linked/legacy.cjs': `exports.is = require('./legacy-inner.cjs').is;`,
  'packages/linked/legacy-inner.cjs': `exports.is = 'linked legacy';`,
  'packages/linked-old/package.json': '{ "name": "linked-old", "main": "main.js" }',
  'packages/linked-old/main.js': `exports.is = 'linked-old' + require('./inner').is + require('dep/sub').is;`,
  'packages/linked-old/inner.js': `exports.is = '+';`,
};

/** Specifier, and what each way finds: the module's `is`, or the code of Node's own error. A way that is not named is not asked. */
const table: readonly (readonly [form: string, specifier: string, found: Outcome])[] = [
  ['relative, its own extension', './plain.ts', typescript('plain')],
  ['relative, the extension of the output', './plain.js', typescript('plain')],
  ['relative, no extension', './plain', typescript('plain')],
  ['relative, a folder with an index', './folder', typescript('folder')],
  ['relative, the folder itself', '.', typescript('index')],
  ['relative, JavaScript', './output.js', 'output'],
  ['relative, JavaScript without an extension', './output', 'output'],
  ['relative, nothing there', './nothing.js', { ...NO_FILE, ...NO_MODULE }],
  // Two pairs: Node keeps what a name meant to the first module of a folder that required it.
  ['relative, source and something that only CommonJS finds', './pair', { ...imports('pair.ts'), ...(seesRequire ? { createRequire: 'pair.ts' } : {}) }],
  ['relative, the same in CommonJS', './another-pair', { 'require in CommonJS': 'pair.json' }],
  ['CommonJS', './legacy.cjs', 'legacy+data/'],
  ['CommonJS with a name that a URL escapes', './a b%41.cjs', requires('escaped')],
  ['CommonJS with an escaped name', './a%20b%2541.cjs', { ...imports('escaped'), ...NO_FILE }],
  ['JSON', './data.json', 'data'],
  ['JSON of a package', 'dep/data.json', 'dep data'],
  ['builtin', 'path', 'builtin'],
  ['builtin with its scheme', 'node:path', 'builtin'],
  ['builtin that has a scheme only', 'node:test', 'builtin'],
  ['package', 'dep', 'depsub'],
  ['package with main', 'old', 'oldfile'],
  ['package subpath', 'dep/sub', 'sub'],
  ['package subpath by condition', 'dep/dual', { ...imports('dual import'), ...requires('dual require') }],
  ['package subpath that is not exported', 'dep/lib/sub.js', 'ERR_PACKAGE_PATH_NOT_EXPORTED'],
  ['package subpath without exports', 'old/file.js', 'file'],
  ['package that is not there', 'no-such-package', { ...NO_FILE, ...NO_MODULE }],
  ['self-reference', 'app/self', typescript('plain')],
  ['self-reference to CommonJS', 'app/self-legacy', 'legacy+data/'],
  ['#imports', '#plain', typescript('plain')],
  ['#imports to CommonJS', '#legacy', 'legacy+data/'],
  ['#imports by condition', '#both', { ...imports('plain'), ...requires('legacy+data/') }],
  ['#imports to a package', '#dep', 'depsub'],
  ['tsconfig paths', '@lib/alias', typescript('alias')],
  ['tsconfig paths, the extension of the output', '@lib/alias.js', typescript('alias')],
  ['tsconfig paths to CommonJS', '@lib/alias-legacy.cjs', seesRequire ? 'legacy+alias' : imports('legacy+alias')],
  ['workspace package', 'linked', typescript('linked+linked legacy')],
  ['workspace package, CommonJS subpath', 'linked/legacy', 'linked legacy'],
  ['workspace package, CommonJS', 'linked-old', 'linked-old+sub'],
  ['this package, linked', 'mimas', 'mimas'],
  ['absolute path', join(folder, 'src/plain.ts'), typescript('plain')],
  ['absolute path, CommonJS', join(folder, 'src/legacy.cjs'), 'legacy+data/'],
  ['file: URL', url('plain.ts'), { ...imports('plain'), ...NO_FILE }],
  ['file: URL, the extension of the output', url('plain.js'), { ...imports('plain'), ...NO_FILE }],
  ['file: URL, CommonJS', url('legacy.cjs'), { ...imports('legacy+data/'), ...NO_FILE }],
  ['query', './plain.ts?fresh', { ...imports('plain'), ...NO_FILE }],
  ['query, the extension of the output', './plain.js?fresh', { ...imports('plain'), ...NO_FILE }],
  ['query, CommonJS', './legacy.cjs?fresh', { ...imports('legacy+data/'), ...NO_FILE }],
];
const expected = (found: Outcome, way: Way) => (typeof found === 'string' ? found : found[way]);

/**
 * The module that asks, and for CommonJS the one behind it, which catches: what such a module throws, Node 20 also takes for a rejection
 * that nobody handles.
 */
function asking(specifier: string, way: Way, name: string): Record<string, string> {
  const literal = JSON.stringify(specifier);
  const json = specifier.endsWith('.json') ? `{ type: 'json' }` : undefined;
  const tell = `const tell = (found: any): unknown => found.is ?? found.default?.is ?? (found.createProcessManager ? 'mimas' : 'builtin');`;
  switch (way) {
    case 'import': return { [`src/${name}.ts`]: `import * as found from ${literal}${json ? ` with ${json}` : ''};\n${tell}\nexport default tell(found);` };
    case 'import()': return { [`src/${name}.ts`]: `${tell}\nexport default tell(await import(${literal}${json ? `, { with: ${json} }` : ''}));` };
    case 'createRequire': return { [`src/${name}.ts`]: `import { createRequire } from 'node:module';\n${tell}\nexport default tell(createRequire(import.meta.url)(${literal}));` };
    case 'require in CommonJS': return { [`src/${name}.ts`]: `import found from './${name}.cjs';\n${tell}\nexport default tell(found);`, [`src/${name}.cjs`]: `try { module.exports = require(${literal}); } catch (error) { exports.is = error.code; }` };
  }
}

let outcomes: Record<(typeof ISOLATIONS)[number], Record<string, string>>;

beforeAll(() => {
  const modules = table.flatMap(([, specifier], row) => WAYS.map((way, column) => asking(specifier, way, `asks-${row}-${column}`)));
  for (const [file, text] of Object.entries(Object.assign({}, files, ...modules) as Record<string, string>)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  for (const name of ['linked', 'linked-old']) symlinkSync(join(folder, 'packages', name), join(folder, 'node_modules', name), 'dir');
  writeFileSync(join(folder, 'src/reach.process.ts'), `import { Process, Public } from 'mimas';
    @Process() export default class Reach {
      @Public() async reach(names: readonly string[]): Promise<Record<string, string>> {
        const outcomes: Record<string, string> = {};
        for (const name of names) {
          outcomes[name] = await import(\`./\${name}.ts\`).then((module) => module.default, (error) => error.code ?? String(error));
        }
        return outcomes;
      }
    }`);
  writeFileSync(join(folder, 'main.mjs'), `import { createProcessManager } from 'mimas';
    const names = JSON.parse(process.argv[2]);
    const pm = createProcessManager();
    const outcomes = {};
    for (const isolation of ${JSON.stringify(ISOLATIONS)}) {
      const proxy = await pm.spawn(new URL('./src/reach.process.ts', import.meta.url), { isolation });
      outcomes[isolation] = await proxy.reach(names);
    }
    await pm.shutdown();
    console.log(JSON.stringify(outcomes));`);
  const names = table.flatMap(([, , found], row) => WAYS.flatMap((way, column) => (expected(found, way) === undefined ? [] : [`asks-${row}-${column}`])));
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(folder, 'main.mjs'), JSON.stringify(names)], { encoding: 'utf8', cwd: folder });
  if (status !== 0) throw new Error(`the program ended with ${status}: ${stdout}${stderr}`);
  outcomes = JSON.parse(stdout) as typeof outcomes;
}, 120_000);

describe.each(ISOLATIONS)('in isolation %s', (isolation) => {
  const asked = table.map(([form, specifier, found], row) => ({
    form,
    specifier: specifier.replace(folder, '…'),
    wanted: Object.fromEntries(WAYS.flatMap((way) => { const outcome = expected(found, way); return outcome === undefined ? [] : [[way, outcome]]; })),
    row,
  }));
  it.each(asked)('$form: $specifier', ({ wanted, row }) => {
    expect(Object.fromEntries(WAYS.flatMap((way, column) => (way in wanted ? [[way, outcomes[isolation][`asks-${row}-${column}`]]] : [])))).toEqual(wanted);
  });
});
