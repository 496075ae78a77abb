// `npm run test:node -- 24 [--built] [what vitest takes]`: `npm test` under another Node, in threads, children and npm scripts as well.
// --built leaves out build, lint and type-check, which do not differ from one Node to the next. `bun` and `deno` run the contract of
// calls, on what is built, unless files are named.
import { spawnSync } from 'node:child_process';
import { environmentWith, fetchRuntime } from './fetch-runtime.mjs';

const VITEST = 'node_modules/vitest/vitest.mjs';
const CONTRACT = ['test/contract/calls.none.test.ts', 'test/contract/calls.worker.test.ts', 'test/contract/calls.child.test.ts'];

const [wanted = '', ...rest] = process.argv.slice(2);
const program = fetchRuntime(wanted);
const built = rest.includes('--built');
const args = rest.filter((argument) => argument !== '--built');
process.exit(/^\d/.test(wanted) ? underNode() : underOther());

function underNode() {
  const env = environmentWith(program);
  const run = (command, what) => spawnSync(command, what, { stdio: 'inherit', env });
  const said = spawnSync(program, ['-p', 'process.version'], { encoding: 'utf8', env }).stdout.trim();
  const seen = spawnSync('npm', ['exec', '--offline', '-c', 'node -p process.version'], { encoding: 'utf8', env }).stdout.trim();
  console.log(`── Node ${said}`);
  if (seen !== said) throw new Error(`npm runs ${seen || 'nothing'} instead of ${said}`);
  return (built ? run(program, [VITEST, 'run', ...args]) : run('npm', ['test', '--', ...args])).status ?? 1;
}

function underOther() {
  const run = (what, stdio) => spawnSync(program, what, { stdio, encoding: 'utf8' });
  console.log(`── ${run(['--version'], 'pipe').stdout.trim().split('\n')[0]}`);
  const files = args.filter((argument) => !argument.startsWith('-'));
  return run([...(wanted.startsWith('deno') ? ['run', '-A'] : []), VITEST, 'run', ...(files.length > 0 ? [] : CONTRACT), ...args], 'inherit').status ?? 1;
}
