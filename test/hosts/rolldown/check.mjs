// Hosts bundled by rolldown (and Rollup, whose options these are).
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { build } from 'rolldown';
import { hasRawDecorators, refusesElsewhere, works } from './shared/bundles.mjs';

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

test('esm, mimas inside', async () => {
  await bundle({ dir: 'out/inside' });
  works('out/inside');
  refusesElsewhere('out/inside');
});

test('esm, mimas inside, minified', async () => {
  await bundle({ dir: 'out/minified', minify: true });
  works('out/minified');
});

for (const [name, options] of [['external', { external: ['mimas'] }], ['inside', {}]]) {
  test(`cjs, mimas ${name}`, async () => {
    await bundle({ dir: `out/cjs-${name}`, format: 'cjs', ...options });
    writeFileSync(`out/cjs-${name}/package.json`, '{ "type": "commonjs" }');
    works(`out/cjs-${name}`);
  });
}
