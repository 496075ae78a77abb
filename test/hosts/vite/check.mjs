// Hosts built by Vite for the server: `vite build --ssr`, and its development server, which evaluates them without a build.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { build, createServer } from 'vite';
import { hasRawDecorators, refusesElsewhere, works } from './shared/bundles.mjs';

const bundle = (outDir, { ssr, ...options } = {}) =>
  build({
    configFile: false,
    logLevel: 'error',
    ...(ssr ? { ssr } : {}),
    ...options,
    build: { outDir, ssr: true, emptyOutDir: true, rollupOptions: { input: { main: 'shared/app/main.ts', 'calc.process': 'shared/app/calc.process.ts' }, output: { entryFileNames: '[name].js' } } },
  });

test('mimas external, as packages are by default', async () => {
  await bundle('out/external');
  assert.equal(hasRawDecorators('out/external'), true);
  works('out/external');
});

test('mimas external, legacy decorators compiled', async () => {
  await bundle('out/compiled', { oxc: { decorator: { legacy: true } } });
  assert.equal(hasRawDecorators('out/compiled'), false);
  works('out/compiled');
});

test('mimas inside', async () => {
  await bundle('out/inside', { ssr: { noExternal: true }, oxc: { decorator: { legacy: true } } });
  works('out/inside');
  refusesElsewhere('out/inside');
});

test('the development server loads a module that spawns', async () => {
  const server = await createServer({ configFile: false, logLevel: 'error', server: { middlewareMode: true, ws: false, hmr: false }, appType: 'custom' });
  try {
    const { sum } = await server.ssrLoadModule('/served.ts');
    assert.equal(await sum(2, 3), 5);
  } finally {
    await server.close();
  }
});
