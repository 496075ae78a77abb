// docs/errors.md is written from the table of codes.
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { ERROR_CODES, errorClassOf } from '../../src/errors.js';
import { root } from '../helpers/compile.js';

it('docs/errors.md is up to date (node scripts/errors-doc.mjs writes it)', () => {
  expect(spawnSync(process.execPath, ['scripts/errors-doc.mjs', '--check'], { cwd: root }).status).toBe(0);
});

it.each(Object.keys(ERROR_CODES))('%s has a class of its own', (code) => {
  expect((errorClassOf(code) as { code?: string } | undefined)?.code).toBe(code);
});
