// `node yarn.mjs …` is Yarn with Plug'n'Play. What an installation says is kept for the checks.
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';

const env = { ...process.env, YARN_ENABLE_TELEMETRY: '0', YARN_NODE_LINKER: 'pnp', YARN_ENABLE_IMMUTABLE_INSTALLS: 'false', YARN_ENABLE_GLOBAL_CACHE: 'true' };
// A project within the folder of another one is its own only with a lockfile.
if (!existsSync('yarn.lock')) writeFileSync('yarn.lock', '');
const { status, stdout, stderr } = spawnSync('npm', ['exec', '--yes', '--prefer-offline', '--package=@yarnpkg/cli-dist@4.18.1', '--', 'yarn', ...process.argv.slice(2)], { encoding: 'utf8', env, maxBuffer: 2 ** 26 });
if (process.argv[2] === 'add') writeFileSync('install.log', stdout + stderr);
console.log(stdout + stderr);
process.exitCode = status ?? 1;
