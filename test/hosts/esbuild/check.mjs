// Hosts bundled by esbuild, as ES modules and as CommonJS.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { test } from 'node:test';
import { build } from 'esbuild';
import { hasRawDecorators, refusesElsewhere, works } from './shared/bundles.mjs';

const entries = { entryPoints: ['shared/app/main.ts', 'shared/app/calc.process.ts'], bundle: true, platform: 'node', logLevel: 'silent' };
// In CommonJS `import.meta.url` is made of what there is.
const commonjs = { format: 'cjs', define: { 'import.meta.url': 'import_meta_url' }, banner: { js: "const import_meta_url = require('node:url').pathToFileURL(__filename).href;" } };

test('esm, mimas external', async () => {
  await build({ ...entries, outdir: 'out/esm', format: 'esm', target: 'node20', external: ['mimas'] });
  assert.equal(hasRawDecorators('out/esm'), false);
  works('out/esm');
});

test('esm, mimas external, decorators left as they are', async () => {
  await build({ ...entries, outdir: 'out/raw', format: 'esm', target: 'esnext', external: ['mimas'], sourcemap: true });
  assert.equal(hasRawDecorators('out/raw'), true);
  works('out/raw');
});

test('esm, mimas external, split, minified, decorators left as they are', async () => {
  await build({ ...entries, outdir: 'out/split', format: 'esm', splitting: true, minify: true, packages: 'external' });
  works('out/split');
});

test('esm, mimas inside', async () => {
  await build({ ...entries, outdir: 'out/inside', format: 'esm', target: 'node20' });
  works('out/inside');
  refusesElsewhere('out/inside');
});

test('esm, mimas inside, minified, decorators left as they are', async () => {
  await build({ ...entries, outdir: 'out/inside-raw', format: 'esm', minify: true });
  works('out/inside-raw');
});

test('cjs, mimas external', async () => {
  await build({ ...entries, ...commonjs, outdir: 'out/cjs', target: 'node20', external: ['mimas'] });
  writeFileSync('out/cjs/package.json', '{ "type": "commonjs" }');
  works('out/cjs');
});

test('cjs, mimas inside', async () => {
  await build({ ...entries, ...commonjs, outdir: 'out/cjs-inside', target: 'node20' });
  writeFileSync('out/cjs-inside/package.json', '{ "type": "commonjs" }');
  works('out/cjs-inside');
});

test('cjs, mimas inside, import.meta left empty', async () => {
  writeFileSync('by-path.ts', readFileSync('shared/app/main.ts', 'utf8').replaceAll("new URL('./calc.process.js', import.meta.url)", "__dirname + '/calc.process.js'").replaceAll("'./calc", "'./shared/app/calc"));
  await build({ ...entries, entryPoints: { main: 'by-path.ts', 'calc.process': 'shared/app/calc.process.ts' }, format: 'cjs', outdir: 'out/cjs-empty', target: 'node20' });
  writeFileSync('out/cjs-empty/package.json', '{ "type": "commonjs" }');
  works('out/cjs-empty');
  refusesElsewhere('out/cjs-empty');
});

test('cjs, decorators left as they are', async () => {
  await build({ ...entries, ...commonjs, outdir: 'out/cjs-raw', external: ['mimas'] });
  writeFileSync('out/cjs-raw/package.json', '{ "type": "commonjs" }');
  assert.equal(hasRawDecorators('out/cjs-raw'), true);
  works('out/cjs-raw');
});

for (const part of ['launcher', 'pipeline']) {
  test(`mimas/${part} inside a bundle refuses by name, outside it loads`, async () => {
    const source = `import * as part from 'mimas/${part}';\nconsole.log(typeof part);\n`;
    // Optional packages, which are not installed here.
    const others = {
      name: 'others',
      setup({ onResolve, onLoad }) {
        onResolve({ filter: /^[^./]/ }, ({ path }) => (isBuiltin(path) || path.startsWith('mimas') ? undefined : { path, namespace: 'others' }));
        onLoad({ filter: /./, namespace: 'others' }, () => ({ contents: 'module.exports = {};' }));
      },
    };
    const run = async (name, external) => {
      await build({ stdin: { contents: source, resolveDir: '.' }, bundle: true, platform: 'node', format: 'esm', logLevel: 'silent', outfile: `out/parts/${name}.mjs`, plugins: external ? [] : [others], external: external ?? [] });
      return spawnSync(process.execPath, [`out/parts/${name}.mjs`], { encoding: 'utf8' });
    };
    const inside = await run(`${part}-inside`);
    assert.match(inside.stderr, new RegExp(`mimas/${part} is inside a bundle.*external`));
    assert.match(inside.stderr, /code: 'BUNDLED'/);
    const { stdout, stderr } = await run(part, ['mimas']);
    assert.equal(stdout, 'object\n', stderr);
  });
}

test('an error of a method points into the bundle, or through its map to the source', async () => {
  await build({ ...entries, outdir: 'out/map', format: 'esm', target: 'node20', external: ['mimas'], sourcemap: true });
  const { createProcessManager } = await import('mimas');
  const pm = createProcessManager();
  const calc = await pm.spawn(new URL('./out/map/calc.process.js', import.meta.url));
  const { stack } = await calc.fail().catch((error) => error);
  assert.match(stack, /calc\.process\.(?:ts|js):\d+:\d+/);
  await pm.shutdown();
});

test('a decorator that JavaScript cannot have is told with file, line and cure', async () => {
  writeFileSync('out/parameter.process.mjs', "import { Process, Public } from 'mimas';\nconst dec = () => {};\n@Process()\nexport default class P {\n  @Public() m(@dec a) {}\n}\n");
  const { createProcessManager } = await import('mimas');
  const pm = createProcessManager();
  await assert.rejects(pm.spawn(new URL('./out/parameter.process.mjs', import.meta.url)), (error) => {
    assert.equal(error.code, 'PROCESS_START_FAILED');
    assert.match(error.message, /bundler.*compile decorators.*parameter\.process\.mjs:5:\d+/);
    return true;
  });
  await pm.shutdown();
});
