// `npm run test:types [-- 5.4 7 …]`: compiles test/types/consumer against the packed tarball, with the declarations of all packages checked:
// each TypeScript that people run × the types of each Node × each way in which modules are resolved. The last line adds up.
// Invariant: an error counts unless it stands in the declarations of Node itself, some of which are too new for an old compiler.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const COMPILERS = ['5.4', '5.9', '6', '7'];
const NODES = ['20', '22', '24', '26'];
const RESOLUTIONS = [['node16', 'node16'], ['nodenext', 'nodenext'], ['esnext', 'bundler']];
const DECORATORS = [true, false];

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, '.cache/types');
const compilers = process.argv.slice(2).length > 0 ? process.argv.slice(2) : COMPILERS;
const folder = mkdtempSync(join(tmpdir(), 'mimas-types-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

function npm(cwd, ...args) {
  const { status, stdout, stderr } = spawnSync('npm', [...args, '--ignore-scripts', '--silent'], { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`npm ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** A package in a folder of its own, fetched once. */
function fetched(name, version) {
  const own = join(cache, `${name.replace('/', '+')}-${version}`);
  const installed = join(own, 'node_modules', name);
  if (!existsSync(installed)) {
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, 'package.json'), '{ "private": true }');
    npm(own, 'install', '--no-audit', '--no-fund', `${name}@${version}`);
  }
  return installed;
}

const tarball = join(folder, JSON.parse(npm(root, 'pack', '--json', '--pack-destination', folder))[0].filename);
cpSync(join(root, 'test/types/consumer'), folder, { recursive: true });
writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
npm(folder, 'install', '--prefer-offline', '--no-audit', '--no-fund', tarball);

const cells = [];
for (const compiler of compilers) {
  for (const node of NODES) {
    for (const [at, [module, moduleResolution]] of RESOLUTIONS.entries()) {
      // Each with one kind of decorators, so that all compilers meet both.
      const experimentalDecorators = DECORATORS[at % DECORATORS.length];
      const typeRoots = [dirname(fetched('@types/node', node))];
      // As a new project has it, with the strictest flags beside.
      const compilerOptions = { module, moduleResolution, target: 'es2022', lib: ['es2023', 'esnext.disposable'], strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noPropertyAccessFromIndexSignature: true, skipLibCheck: false, noEmit: true, experimentalDecorators, types: ['node'], typeRoots };
      const config = `tsconfig.${compiler}-${node}-${moduleResolution}.json`;
      writeFileSync(join(folder, config), JSON.stringify({ compilerOptions, files: ['main.ts'] }));
      cells.push({ name: `TypeScript ${compiler}, @types/node ${node}, ${moduleResolution}`, config, tsc: join(fetched('typescript', compiler), 'bin/tsc') });
    }
  }
}

let passed = 0;
let failed = 0;
await Promise.all([next(), next()]);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

async function next() {
  for (let cell; (cell = cells.shift()); ) {
    const { output, code } = await compile(cell);
    const errors = output.split('\n').filter((line) => /^\S.*error TS\d+/.test(line));
    const own = errors.filter((line) => !/@types\+node-\d+\/node_modules\/|\/@types\/node\//.test(line));
    const good = own.length === 0 && (code === 0 || errors.length > 0);
    if (good) passed++;
    else failed++;
    const strange = errors.length - own.length;
    console.log(`${good ? 'ok    ' : 'FAILED'} ${cell.name}${strange > 0 ? ` (${strange} errors in Node's own types)` : ''}`);
    if (!good) console.log(own.join('\n') || output);
  }
}

function compile({ tsc, config }) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [tsc, '-p', config, '--pretty', 'false'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('close', (code) => resolve({ output, code }));
  });
}
