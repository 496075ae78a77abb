// npm workspaces: Mimas is installed once at the top, and packages find each other through links.
import assert from 'node:assert/strict';
import { lstatSync } from 'node:fs';
import { test } from 'node:test';
import { answers } from './packages/app/spawn.mjs';

test('the packages are links', () => assert.ok(lstatSync('node_modules/@acme/jobs').isSymbolicLink()));

for (const isolation of ['none', 'worker', 'child']) {
  test(`processes of another package, which imports TypeScript, CommonJS and JSON, answer: ${isolation}`, async () => {
    assert.deepEqual(await answers({ isolation }), [3, 'legacy', 'A']);
  });
}
