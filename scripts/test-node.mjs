// `npm run test:node -- 24 [--built] [what vitest takes]`: `npm test` under another Node, in threads, children and npm scripts as well.
// --built leaves out build, lint and type-check, which do not differ from one Node to the next.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { environmentWith, fetchNode } from './fetch-node.mjs';

const [version = '', ...rest] = process.argv.slice(2);
const bin = fetchNode(version);
const env = environmentWith(bin);
const node = join(bin, process.platform === 'win32' ? 'node.exe' : 'node');
const run = (command, args) => spawnSync(command, args, { stdio: 'inherit', env });

const said = spawnSync(node, ['-p', 'process.version'], { encoding: 'utf8', env }).stdout.trim();
const seen = spawnSync('npm', ['exec', '--offline', '-c', 'node -p process.version'], { encoding: 'utf8', env }).stdout.trim();
console.log(`── Node ${said}`);
if (seen !== said) throw new Error(`npm runs ${seen || 'nothing'} instead of ${said}`);
const built = rest.includes('--built');
const args = rest.filter((argument) => argument !== '--built');
const { status } = built ? run(node, ['node_modules/vitest/vitest.mjs', 'run', ...args]) : run('npm', ['test', '--', ...args]);
process.exit(status ?? 1);
