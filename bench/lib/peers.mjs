// Makes sure that there is something to measure: the peers are installed into bench/peers only, and dist/ is as new as src/.
// bench/node_modules is a link to theirs: with a package.json in bench/ itself, files there could not import 'mimas' by its name.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const bench = dirname(dirname(fileURLToPath(import.meta.url)));
const root = dirname(bench);

const run = (command, args, cwd, stdio = 'inherit') => spawnSync(command, args, { cwd, stdio: ['ignore', stdio, stdio] }).status === 0;

function must(command, args, cwd) {
  if (!run(command, args, cwd)) throw new Error(`${command} ${args.join(' ')} failed`);
}

export function installPeers() {
  const installed = join(bench, 'peers/node_modules');
  if (!existsSync(join(installed, '.package-lock.json'))) {
    console.error('installing the peers into bench/peers/node_modules …');
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund'];
    // Some registries leave packages of other platforms out of a lock file, and `ci` then refuses it.
    if (!run('npm', ['ci', ...flags], join(bench, 'peers'), 'ignore')) must('npm', ['install', ...flags], join(bench, 'peers'));
  }
  if (!existsSync(join(bench, 'node_modules'))) symlinkSync(installed, join(bench, 'node_modules'), 'junction');
}

export function buildIfStale() {
  const built = join(root, 'dist/index.js');
  const age = existsSync(built) ? statSync(built).mtimeMs : 0;
  const newest = Math.max(...readdirSync(join(root, 'src'), { recursive: true }).map((name) => statSync(join(root, 'src', name)).mtimeMs));
  if (newest > age) must(process.execPath, [join(root, 'scripts/build.mjs')], root);
}
