// Another Node, or Bun, or Deno, as an npm package, fetched once into .cache: `node scripts/fetch-runtime.mjs 24` prints the folder of its program.
// Invariant: what is in the cache under a version is whole; of a fetch that failed nothing is left.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, '.cache/nodes');
const { platform, arch } = process;
const exe = platform === 'win32' ? '.exe' : '';
const VERSION = /^(?:(bun|deno)(?:@(?=\d))?)?(\d+(?:\.\d+){0,2})?$/;

/** The package and, in it, the program of a runtime. */
function partsOf(kind) {
  if (kind === 'bun') return { name: `@oven/bun-${platform === 'win32' ? 'windows' : platform}-${arch === 'arm64' ? 'aarch64' : arch}`, program: `bin/bun${exe}` };
  if (kind === 'deno') return { name: `@deno/${platform}-${arch}${platform === 'linux' ? '-glibc' : ''}`, program: `deno${exe}` };
  return { name: `node-${platform === 'win32' ? 'win' : platform}-${arch}`, program: `bin/node${exe}` };
}

/** The program of `24` or `20.19.0` (a Node), `bun`, `deno@2.9`. @throws when there is no such version for this platform. */
export function fetchRuntime(wanted) {
  const [, kind, version] = VERSION.exec(wanted) ?? [];
  if (wanted === '' || (kind === undefined && version === undefined)) throw new Error(`${wanted || 'nothing'} is no runtime; write 24, 20.19.0, bun or deno@2`);
  const { name, program } = partsOf(kind);
  const kept = join(cache, wanted);
  const path = join(kept, 'node_modules', name, program);
  if (existsSync(path)) return path;
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, `${wanted}-`));
  try {
    writeFileSync(join(folder, 'package.json'), '{ "private": true }');
    const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder, `${name}@${version ?? 'latest'}`], { stdio: ['ignore', 2, 2] });
    if (status !== 0) throw new Error(`${name}@${version ?? 'latest'} cannot be had from the registry`);
    // Some tests run it as another user.
    chmodSync(folder, 0o755);
    // Somebody else may have been faster.
    if (!existsSync(path)) renameSync(folder, kept);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return path;
}

/** The environment in which `node`, `npm` and the programs that they start are those of the folder of `program`. */
export function environmentWith(program) {
  // npm says there where the Node is that it runs in itself.
  const { NODE: _node, npm_node_execpath: _path, ...env } = process.env;
  return { ...env, PATH: `${dirname(program)}${delimiter}${env.PATH}` };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(dirname(fetchRuntime(process.argv[2] ?? '')));
