// `npm run test:package`: what the package promises to tools, as two of them see it: publint (files, fields, formats) and are-the-types-wrong (what each
// way of resolving modules finds). Both look at the tarball. Mimas is ESM only, so how CommonJS of old resolves it is not asked.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), 'mimas-check-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const [{ filename }] = JSON.parse(spawnSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], { cwd: root, encoding: 'utf8' }).stdout);
const check = (name, version, ...command) => {
  console.log(`── ${name}`);
  const { status } = spawnSync('npm', ['exec', '--yes', '--prefer-offline', `--package=${name}@${version}`, '--', ...command], { cwd: folder, stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
};
check('publint', '0.3.25', 'publint', 'run', filename, '--strict');
check('@arethetypeswrong/cli', '0.18.5', 'attw', filename, '--profile', 'esm-only', '--format', 'ascii');
