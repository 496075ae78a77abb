// `npm run test:hosts [-- name…] [--built] [--report file]`: what people run Mimas in. Each folder beside this file that has a package.json is
// a small real project: it is copied to a temporary folder, gets the packed tarball from npm, and its checks run there.
// A project may bring scripts: `setup` instead of `npm install` (MIMAS_TARBALL names the tarball), `check` instead of `node --test`;
// whatever checks must print node:test's summary in TAP. A project whose packages are not to be had is skipped by name.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const { values, positionals } = parseArgs({ allowPositionals: true, options: { built: { type: 'boolean' }, keep: { type: 'boolean' }, report: { type: 'string' } } });
/** Longest time of one command of a project. */
const LIMIT_MS = 300_000;
const NOT_TO_BE_HAD = /\b(?:ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT)\b/;

const projects = readdirSync(here).filter((name) => existsSync(join(here, name, 'package.json')));
const strangers = positionals.filter((name) => !projects.includes(name));
if (strangers.length > 0) throw new Error(`no such host: ${strangers.join(', ')}; there are ${projects.join(', ')}`);

const folder = mkdtempSync(join(tmpdir(), 'mimas-hosts-'));
process.on('exit', () => values.keep || rmSync(folder, { recursive: true, force: true }));
if (values.keep) console.log(folder);
if (!values.built) must('npm', ['run', '--silent', 'build']);
const [packed] = JSON.parse(must('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder]));
const tarball = join(folder, packed.filename);

const rows = [];
for (const name of positionals.length > 0 ? positionals : projects) rows.push(await runProject(name));
console.table(Object.fromEntries(rows.map(({ name, ...row }) => [name, row])));
const sum = (key) => rows.reduce((total, row) => total + row[key], 0);
console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
// As the reports of the other suites, as far as scripts/ci-summary.mjs reads them.
if (values.report && rows.some(({ passed, failed }) => passed + failed > 0)) writeFileSync(values.report, JSON.stringify({ numPassedTests: sum('passed'), numFailedTests: sum('failed'), testResults: [] }));
process.exitCode = sum('failed') > 0 ? 1 : 0;

async function runProject(name) {
  const began = Date.now();
  const cwd = join(folder, name);
  const row = (passed, failed, note = '') => ({ name, passed, failed, seconds: Math.round((Date.now() - began) / 1000), note });
  console.log(`── ${name}`);
  cpSync(join(here, name), cwd, { recursive: true });
  cpSync(join(here, 'shared'), join(cwd, 'shared'), { recursive: true });
  const { scripts = {} } = JSON.parse(readFileSync(join(cwd, 'package.json'), 'utf8'));

  const setup = scripts.setup ? ['run', '--silent', 'setup'] : ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', tarball];
  const installed = await run('npm', setup, cwd);
  if (installed.code !== 0 && NOT_TO_BE_HAD.test(installed.output)) {
    console.log('skipped: its packages are not to be had here');
    return row(0, 0, 'skipped: packages not to be had');
  }
  if (installed.code !== 0) {
    console.log(installed.output);
    return row(0, 1, 'install failed');
  }
  const checked = await (scripts.check ? run('npm', ['run', '--silent', 'check'], cwd) : run(process.execPath, ['--test', '--test-reporter=tap', 'check.mjs'], cwd));
  const count = (what) => [...checked.output.matchAll(new RegExp(`^# ${what} (\\d+)$`, 'gm'))].reduce((total, [, n]) => total + Number(n), 0);
  const passed = count('pass');
  const failed = Math.max(count('fail') + count('cancelled'), checked.code === 0 && passed > 0 ? 0 : 1);
  if (failed > 0) console.log(checked.output);
  return row(passed, failed, failed > 0 ? 'see above' : '');
}

/** Ends with the command, or at the limit with the command's whole process group. */
function run(command, args, cwd) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, MIMAS_TARBALL: tarball, NODE_TEST_CONTEXT: undefined } });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
    const timer = setTimeout(() => {
      output += `\nnot done within ${LIMIT_MS / 1000} s: ${command} ${args.join(' ')}`;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {}
    }, LIMIT_MS);
    child.on('error', (error) => (output += error.message));
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, output });
    });
  });
}

function must(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}:\n${stdout}${stderr}`);
  return stdout;
}
