// A project that pnpm installed: nothing is found that a package does not declare.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import './shared/installed.mjs';

test('pnpm leaves out no build script and asks for none', () => {
  const said = readFileSync('install.log', 'utf8');
  assert.doesNotMatch(said, /build script|approve-builds/i);
  assert.match(said, /\+ mimas /);
  assert.ok(existsSync('node_modules/.pnpm'));
});
