// Runs what a bundler made of shared/app in `folder`: its main.js with calc.process.js beside it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const LINES = [...['none', 'worker', 'child'].map((isolation) => `${isolation} 3 8 1+2 true yes true`), 'pool 7'];

const run = (folder, main) => spawnSync(process.execPath, [join(folder, main)], { encoding: 'utf8', timeout: 60_000 });

/** The bundle does what the sources do. */
export function works(folder, main = 'main.js') {
  const { stdout, stderr } = run(folder, main);
  assert.deepEqual(stdout.trim().split('\n'), LINES, stderr);
}

export function refuses(folder, message) {
  const { status, stderr } = run(folder, 'main.js');
  assert.equal(status, 1);
  assert.match(stderr, message);
}

/** Where the package is not installed, a bundle that has it inside says so, and what to do. */
export function refusesElsewhere(folder, main = 'main.js') {
  const elsewhere = mkdtempSync(join(tmpdir(), 'mimas-elsewhere-'));
  try {
    cpSync(folder, elsewhere, { recursive: true });
    writeFileSync(join(elsewhere, 'package.json'), readFileSync('package.json'));
    const { status, stderr } = run(elsewhere, main);
    assert.equal(status, 1);
    assert.match(stderr, /mimas \d+\.\d+\.\d+ is inside a bundle.*not installed where the bundle is.*Install mimas@.*external/);
    assert.match(stderr, /code: 'BUNDLED'/);
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
}

export const hasRawDecorators = (folder) => readdirSync(folder).some((name) => /\.m?js$/.test(name) && /^\s*@.*\bPublic\b/m.test(readFileSync(join(folder, name), 'utf8')));
