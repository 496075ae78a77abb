// Type-checks the type tests and the fixture projects with the real compiler, under each project's own flags.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root, typescript } from '../helpers/compile.js';

it.each([
  'test/types/tsconfig.legacy.json',
  'test/types/tsconfig.standard.json',
  'test/fixtures/projects/legacy/tsconfig.json',
  'test/fixtures/projects/standard/tsconfig.json',
  'test/fixtures/projects/no-flags/tsconfig.json',
])('%s type-checks', (project) => {
  expect(typescript(['-p', join(root, project), '--noEmit'])).toEqual({ status: 0, output: '' });
});
