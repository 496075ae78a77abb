// Hosts bundled by webpack 5 for Node, with TypeScript through swc.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import webpack from 'webpack';
import { refusesElsewhere, works } from './shared/bundles.mjs';

const swc = { loader: 'swc-loader', options: { jsc: { parser: { syntax: 'typescript', decorators: true }, transform: { decoratorVersion: '2022-03' }, target: 'es2022' } } };

/** `parser`: leaves `import.meta.url`, and what is made of it, to Node: webpack would write the address of the source there. */
const common = {
  mode: 'production',
  target: 'node20',
  entry: { main: './shared/app/main.ts', 'calc.process': './shared/app/calc.process.ts' },
  resolve: { extensions: ['.ts', '.js'] },
  module: { rules: [{ test: /\.ts$/, use: swc }], parser: { javascript: { url: false, importMeta: false } } },
};
const esm = (folder) => ({ experiments: { outputModule: true }, output: { path: resolve(folder), filename: '[name].js', module: true, chunkFormat: 'module', library: { type: 'module' } } });
const cjs = (folder) => ({ entry: { ...common.entry, main: './by-path.ts' }, node: { __dirname: false, __filename: false }, output: { path: resolve(folder), library: { type: 'commonjs2' } } });

async function bundle(options) {
  const stats = await new Promise((done, fail) => webpack({ ...common, ...options, module: { ...common.module, ...options.module } }, (error, result) => (error ? fail(error) : done(result))));
  assert.deepEqual(stats.toJson({ all: false, errors: true, warnings: true }).errors, []);
  return stats.toJson({ all: false, warnings: true }).warnings;
}

writeFileSync('by-path.ts', readFileSync('shared/app/main.ts', 'utf8').replaceAll("new URL('./calc.process.js', import.meta.url)", "__dirname + '/calc.process.js'").replaceAll("'./calc", "'./shared/app/calc"));

test('esm, mimas external', async () => {
  await bundle({ ...esm('out/esm'), externals: { mimas: 'module mimas' } });
  works('out/esm');
});

test('esm, mimas inside', async () => {
  assert.deepEqual(await bundle(esm('out/inside')), []);
  works('out/inside');
  refusesElsewhere('out/inside');
});

test('cjs, mimas external', async () => {
  await bundle({ ...cjs('out/cjs'), externals: { mimas: 'commonjs2 mimas' } });
  writeFileSync('out/cjs/package.json', '{ "type": "commonjs" }');
  works('out/cjs');
});

test('cjs, mimas inside', async () => {
  assert.deepEqual(await bundle({ ...cjs('out/cjs-inside'), module: { parser: {} } }), []);
  writeFileSync('out/cjs-inside/package.json', '{ "type": "commonjs" }');
  works('out/cjs-inside');
});
