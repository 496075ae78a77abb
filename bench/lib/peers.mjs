// Makes sure that there is something to measure: the peers are installed into bench/ only, and dist/ is as new as src/.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const bench = dirname(dirname(fileURLToPath(import.meta.url)));
const root = dirname(bench);

function must(command, args, cwd) {
  const { status } = spawnSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed`);
}

export function installPeers() {
  if (existsSync(join(bench, 'node_modules/.package-lock.json'))) return;
  console.error('installing the peers into bench/node_modules …');
  must('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], bench);
}

export function buildIfStale() {
  const built = join(root, 'dist/index.js');
  const age = existsSync(built) ? statSync(built).mtimeMs : 0;
  const newest = Math.max(...readdirSync(join(root, 'src'), { recursive: true }).map((name) => statSync(join(root, 'src', name)).mtimeMs));
  if (newest > age) must(process.execPath, [join(root, 'scripts/build.mjs')], root);
}
