// What a specifier means in a file: the table of `exports` and `imports`, as an import would read them.
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { packageFile } from '../../src/runtime/package-file.js';
import { resolveProcessFile } from '../../src/runtime/process-file.js';
import { temporaryFolder } from '../helpers/temporary.js';

const folder = temporaryFolder('mimas packages ');
const packages: Readonly<Record<string, object>> = {
  '.': { name: '@acme/app', exports: { './own': './src/own.process.ts', './none': null }, imports: { '#own': './src/own.process.ts', '#jobs/*': '@acme/jobs/*', '#nowhere': './src/nowhere.ts' } },
  'node_modules/@acme/jobs': {
    name: '@acme/jobs',
    exports: {
      '.': { types: './index.d.ts', require: './index.cjs', import: './dist/index.process.js' },
      './resize.process': { browser: './no.js', node: { require: './no.cjs', default: './dist/resize.process.js' } },
      './workers/*': './dist/workers/*.js', './workers/*.ts': './src/workers/*.ts', './workers/internal/*': null,
      './listed': [{ browser: './no.js' }, './dist/listed.process.mjs'],
      './source': { 'no-such-condition': './src/no.ts', default: './dist/source.process.js' },
      './missing.process': './dist/missing.process.js',
    },
  },
  'node_modules/sugar': { name: 'sugar', exports: './main.process.js' },
  'node_modules/plain': { name: 'plain', main: './main.js' },
  'packages/linked': { name: 'linked', exports: { './*': './src/*.js' } },
  'src/inner/node_modules/plain': { name: 'plain' },
};
const files = [
  'src/own.process.ts', 'node_modules/@acme/jobs/dist/index.process.js', 'node_modules/@acme/jobs/dist/resize.process.js', 'node_modules/@acme/jobs/dist/workers/a.js',
  'node_modules/@acme/jobs/src/workers/a.ts', 'node_modules/@acme/jobs/dist/listed.process.mjs', 'node_modules/@acme/jobs/dist/source.process.js', 'node_modules/sugar/main.process.js',
  'node_modules/plain/lib/calc.process.js', 'node_modules/plain/lib/job.process.mts', 'packages/linked/src/calc.process.ts', 'src/inner/node_modules/plain/lib/calc.process.js', 'own.process.js',
];
const write = (name: string, text: string) => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
};
for (const [name, manifest] of Object.entries(packages)) write(join(name, 'package.json'), JSON.stringify(manifest));
for (const name of files) write(name, '');
symlinkSync(join(folder, 'packages/linked'), join(folder, 'node_modules/linked'), 'dir');

const caller = join(folder, 'src/main.ts');
const find = (specifier: string, from = caller) => resolveProcessFile(specifier, folder, from);

it.each([
  ['the package itself', '@acme/jobs', 'node_modules/@acme/jobs/dist/index.process.js'],
  ['a subpath, by conditions', '@acme/jobs/resize.process', 'node_modules/@acme/jobs/dist/resize.process.js'],
  ['a pattern', '@acme/jobs/workers/a', 'node_modules/@acme/jobs/dist/workers/a.js'],
  ['the longer of two patterns', '@acme/jobs/workers/a.ts', 'node_modules/@acme/jobs/src/workers/a.ts'],
  ['the first of a list that fits', '@acme/jobs/listed', 'node_modules/@acme/jobs/dist/listed.process.mjs'],
  ['a condition that nobody asked for', '@acme/jobs/source', 'node_modules/@acme/jobs/dist/source.process.js'],
  ['exports of one text', 'sugar', 'node_modules/sugar/main.process.js'],
  ['a file of a package without exports', 'plain/lib/calc.process.js', 'node_modules/plain/lib/calc.process.js'],
  ['its counterpart', 'plain/lib/job.process.mjs', 'node_modules/plain/lib/job.process.mts'],
  ['without its extension', 'plain/lib/calc.process', 'node_modules/plain/lib/calc.process.js'],
  ['a linked package whose output is not built', 'linked/calc.process', 'node_modules/linked/src/calc.process.ts'],
  ['its own package by name', '@acme/app/own', 'src/own.process.ts'],
  ['an import of its own', '#own', 'src/own.process.ts'],
  ['an import of its own that is a package', '#jobs/resize.process', 'node_modules/@acme/jobs/dist/resize.process.js'],
])('%s: %s', (_, specifier, found) => {
  expect(find(specifier)).toBe(join(folder, found));
});

it('a path from the working directory wins, and the nearest package of a name', () => {
  expect(find('own.process.js')).toBe(join(folder, 'own.process.js'));
  expect(find('plain/lib/calc.process.js', join(folder, 'src/inner/deep/main.js'))).toBe(join(folder, 'src/inner/node_modules/plain/lib/calc.process.js'));
});

it.each([
  ['@acme/jobs/secret.process', /exports of .*@acme\/jobs.package\.json \(@acme\/jobs\) do not offer '\.\/secret\.process'/],
  ['@acme/jobs/workers/internal/x', /do not offer '\.\/workers\/internal\/x'/],
  ['@acme/app/none', /do not offer '\.\/none'/],
  ['@acme/jobs/missing.process', /has no file .*dist.missing\.process\.js/],
  ['plain', /name a file of the package plain/],
  ['plain/lib/calk.process.js', /has no file .*calk\.process\.js; did you mean calc\.process\.js\?/],
  ['#nowhere', /has no file .*nowhere\.ts/],
  ['#unknown', /imports of .* do not offer '#unknown'/],
  ['@acme/other/x.process', /there is no file .*x\.process/],
])('%s is refused, and why', (specifier, message) => {
  expect(() => find(specifier)).toThrow(expect.objectContaining({ code: 'PROCESS_START_FAILED', phase: 'resolve', message: expect.stringMatching(message) as string }));
});

it('what is no package is none', () => {
  for (const specifier of ['./a', '/a', '.', '', '@acme', 'a b', 'no-such-package/x']) expect(packageFile(specifier, caller)).toBeUndefined();
});
