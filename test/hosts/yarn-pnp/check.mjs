// A project that Yarn installed with Plug'n'Play: there is no node_modules, packages are read where they are packed.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import './shared/installed.mjs';

test('Yarn builds nothing and asks for nothing', () => {
  const said = readFileSync('install.log', 'utf8');
  assert.doesNotMatch(said, /must be built|build script|YN0000: · Failed|YN0002/);
  assert.match(said, /mimas@file/);
  assert.ok(existsSync('.pnp.cjs') && !existsSync('node_modules'));
});
