// Hosts bundled by rolldown (and Rollup, whose options these are).
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { build } from 'rolldown';
import { hasRawDecorators, refuses, refusesElsewhere, works } from './shared/bundles.mjs';

const input = { main: 'shared/app/main.ts', 'calc.process': 'shared/app/calc.process.ts' };
const bundle = ({ dir, format = 'esm', minify = false, ...options }) => build({ input, platform: 'node', logLevel: 'silent', ...options, output: { dir, format, minify } });

test('esm, mimas external, decorators left as they are', async () => {
  await bundle({ dir: 'out/esm', external: ['mimas'] });
  assert.equal(hasRawDecorators('out/esm'), true);
  works('out/esm');
});

test('esm, mimas external, legacy decorators compiled', async () => {
  await bundle({ dir: 'out/legacy', external: ['mimas'], transform: { decorator: { legacy: true } } });
  assert.equal(hasRawDecorators('out/legacy'), false);
  works('out/legacy');
});

// Whose decorators they are cannot be seen in these, so compiling them takes esbuild, which this project does not have.
const compiled = { transform: { decorator: { legacy: true } } };

test('esm, mimas inside', async () => {
  await bundle({ dir: 'out/inside', ...compiled });
  works('out/inside');
  refusesElsewhere('out/inside');
});

test('esm, mimas inside, minified', async () => {
  await bundle({ dir: 'out/minified', minify: true, ...compiled });
  works('out/minified');
});

for (const [name, options] of [['external', { external: ['mimas'] }], ['inside', {}]]) {
  test(`cjs, mimas ${name}`, async () => {
    await bundle({ dir: `out/cjs-${name}`, format: 'cjs', ...compiled, ...options });
    writeFileSync(`out/cjs-${name}/package.json`, '{ "type": "commonjs" }');
    works(`out/cjs-${name}`);
  });
}

for (const [name, options] of [['cjs', { format: 'cjs', external: ['mimas'] }], ['mimas inside', {}], ['minified', { minify: true, external: ['mimas'] }]]) {
  test(`decorators left as they are that cannot be compiled here are told with file, line and cure: ${name}`, async () => {
    const dir = `out/left-${name.replace(' ', '-')}`;
    await bundle({ dir, ...options });
    writeFileSync(`${dir}/package.json`, JSON.stringify({ type: name === 'cjs' ? 'commonjs' : 'module' }));
    refuses(dir, /calc\.process\.js: compiling standard decorators needs a package.*npm install esbuild \(a bundler left decorators in .*calc\.process\.js:\d+; or have it compile decorators/);
  });
}
