import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { defineConfig } from 'vitest/config';

const msgpackr = dirname(dirname(createRequire(import.meta.url).resolve('msgpackr')));

export default defineConfig({
  // As scripts/bundle.mjs does.
  resolve: { alias: { 'msgpackr/unpack': join(msgpackr, 'unpack.js') } },
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/setup/status-steps.ts'],
    // Those of test/hosts are for the programs that run there: npm run test:hosts.
    exclude: ['test/fixtures/**', 'test/hosts/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What tests import from dist runs under Node's own loader, as in production: process files reach theirs through it.
    server: { deps: { external: [/\/dist\//] } },
    pool: 'forks',
    maxWorkers: 2,
  },
});
