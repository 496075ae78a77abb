// The examples of pools, run as a user would.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../helpers/compile.js';
import { decodePng } from '../../processes/png.js';

const run = (name: string, ...args: string[]) => spawnSync(process.execPath, ['--import', './dist/register.js', `examples/${name}.ts`, ...args], { cwd: root, encoding: 'utf8', timeout: 60_000 });

it('image-pool processes real images and shows how far it is', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'mimas-images-'));
  try {
    const { status, stdout, stderr } = run('image-pool', folder);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^█{24} 24\/24\n24 images, 72 calls, 0 errors, \d+ replicas\n\d+ ms\n$/);
    const files = readdirSync(folder);
    expect(files).toHaveLength(24);
    const image = decodePng(readFileSync(join(folder, 'image-12.png')));
    expect([image.width, image.height]).toEqual([160, 100]);
    // The gradient survived blur and scaling: red grows from left to right.
    expect(image.data[159 * 4]!).toBeGreaterThan(image.data[0]! + 150);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('cpu-pool counts primes, prints its speed-up, and ends an endless call', { timeout: 60_000 }, () => {
  const { status, stdout, stderr } = run('cpu-pool');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toMatch(/^primes below 2400000 are 176302 true\n1 thread: \d+ ms, \d+ threads: \d+ ms, speed-up \d+\.\d\d\nendless: CALL_TIMEOUT short: 9592\n$/);
});
