// Another Node, as an npm package, fetched once into .cache: `node scripts/fetch-node.mjs 24` prints the folder that its program is in.
// Invariant: what is in the cache under a version is whole; of a fetch that failed nothing is left.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, '.cache/nodes');
const NAME = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;

/** The folder of `node`, of a version such as 24 or 20.19.0. @throws when there is no such version for this platform. */
export function fetchNode(version) {
  if (!/^\d+(?:\.\d+){0,2}$/.test(version)) throw new Error(`${version} is no version of Node; write 24, or 20.19.0`);
  const kept = join(cache, version);
  const bin = join(kept, 'node_modules', NAME, 'bin');
  if (existsSync(bin)) return bin;
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, `${version}-`));
  try {
    writeFileSync(join(folder, 'package.json'), '{ "private": true }');
    const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder, `${NAME}@${version}`], { stdio: ['ignore', 2, 2] });
    if (status !== 0) throw new Error(`${NAME}@${version} cannot be had from the registry`);
    // Somebody else may have been faster.
    if (!existsSync(bin)) renameSync(folder, kept);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return bin;
}

/** The environment in which `node`, `npm` and the programs that they start are those of `bin`. */
export function environmentWith(bin) {
  // npm says there where the Node is that it runs in itself.
  const { NODE: _node, npm_node_execpath: _path, ...env } = process.env;
  return { ...env, PATH: `${bin}${process.platform === 'win32' ? ';' : ':'}${env.PATH}` };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(fetchNode(process.argv[2] ?? ''));
