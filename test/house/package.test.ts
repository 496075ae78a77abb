// The package as users get it: packed, installed into an empty folder, run and type-checked there.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, posix } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { root } from '../helpers/compile.js';
import { temporaryFolder } from '../helpers/temporary.js';

const folder = temporaryFolder('mimas-package-');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string; exports: Record<string, unknown>; dependencies: Record<string, string> };
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
let packed: string[] = [];

const run = (command: string, args: string[]) => {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: 'utf8', timeout: 120_000 });
  return { status, output: stdout + stderr };
};

beforeAll(() => {
  const [tarball] = JSON.parse(execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], { cwd: root, encoding: 'utf8' })) as [{ filename: string; files: { path: string }[] }];
  packed = tarball.files.map(({ path }) => path);
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  execFileSync('npm', ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', `./${tarball.filename}`], { cwd: folder, stdio: 'pipe' });
  writeFileSync(
    join(folder, 'calculator.process.ts'),
    `import { Process, Public } from 'mimas';
     @Process({ name: 'calculator' })
     export default class Calculator {
       @Public() add(a: number, b: number): number { return a + b; }
       @Public() async *countTo(n: number): AsyncGenerator<number> { for (let i = 1; i <= n; i++) yield i; }
     }`,
  );
  writeFileSync(
    join(folder, 'main.ts'),
    `import { createProcessManager, type Isolation } from 'mimas';
     import type Calculator from './calculator.process.js';
     const pm = createProcessManager();
     for (const isolation of ['worker', 'child'] as Isolation[]) {
       const calc = await pm.spawn<Calculator>(new URL('./calculator.process.ts', import.meta.url), { isolation });
       const sum: number = await calc.add(5, 3);
       const items: number[] = [];
       for await (const n of calc.countTo(3)) items.push(n);
       console.log(isolation, sum, items.join());
     }
     await pm.shutdown();`,
  );
}, 180_000);

describe('the tarball', () => {
  it('holds what is needed and nothing else', () => {
    expect(packed).toEqual(expect.arrayContaining(['package.json', 'README.md', 'dist/index.js', 'dist/index.d.ts', 'dist/register.js', 'dist/pipeline/proto/control_plane.proto', 'dist/pipeline/proto/descriptors.pb', 'dist/launcher/proto/descriptors.pb', 'docs/pipeline.schema.json', 'dist/cli/main.js', 'processes/calculator.process.ts']));
    expect(packed.filter((file) => !/^(package\.json|README\.md|LICENSE|dist\/.+\.(c?js|d\.ts|js\.map|proto|pb|html|css)|docs\/.+\.(md|svg|schema\.json)|processes\/.+\.ts|examples\/.+|bench\/readme-table\.ts|src\/pipeline\/proto\/.+\.(proto|pb))$/.test(file))).toEqual([]);
  });

  it('has no lifecycle script that runs at the user', () => {
    const { scripts } = JSON.parse(readFileSync(join(folder, 'node_modules/mimas/package.json'), 'utf8')) as { scripts: Record<string, string> };
    expect(Object.keys(scripts).filter((name) => /^(pre|post)?install$/.test(name))).toEqual([]);
  });
});

describe('installed into an empty folder', () => {
  it('has what its pages link to', () => {
    const missing = packed.filter((file) => file.endsWith('.md')).flatMap((page) => {
      const links = readFileSync(join(root, page), 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g);
      return [...links].map(([, target]) => posix.join(posix.dirname(page), target!)).filter((target) => !packed.includes(target)).map((target) => `${page}: ${target}`);
    });
    expect(missing).toEqual([]);
  });

  it('runs a TypeScript program of two files, in a thread and in a child', { timeout: 60_000 }, () => {
    expect(run('node', ['--import', 'mimas/register', 'main.ts'])).toEqual({ status: 0, output: 'worker 8 1,2,3\nchild 8 1,2,3\n' });
  });

  it.each([['nodenext', 'nodenext'], ['esnext', 'bundler']])('its types resolve (module %s, resolution %s)', { timeout: 60_000 }, (module, moduleResolution) => {
    mkdirSync(join(folder, 'node_modules/@types'), { recursive: true });
    const compilerOptions = { module, moduleResolution, target: 'es2022', lib: ['es2023', 'esnext.disposable'], strict: true, noEmit: true, types: ['node'], typeRoots: [join(root, 'node_modules/@types')] };
    const config = `tsconfig.${moduleResolution}.json`;
    writeFileSync(join(folder, config), JSON.stringify({ compilerOptions, files: ['main.ts'] }));
    expect(run(process.execPath, [tsc, '-p', config])).toEqual({ status: 0, output: '' });
  });

  it('every subpath can be imported', { timeout: 60_000 }, () => {
    const subpaths = Object.keys(manifest.exports).filter((path) => !path.endsWith('.json')).map((path) => `mimas${path.slice(1)}`);
    expect(subpaths.length).toBeGreaterThanOrEqual(4);
    const script = `for (const path of ${JSON.stringify(subpaths)}) { const m = await import(path); console.log(path, typeof m); }`;
    expect(run('node', ['--input-type=module', '-e', script])).toEqual({ status: 0, output: subpaths.map((path) => `${path} object\n`).join('') });
  });

  it('has the mimas command, which runs a ready-made process', { timeout: 60_000 }, () => {
    expect(existsSync(join(folder, 'node_modules/.bin/mimas'))).toBe(true);
    // npx may have something to say of its own on stderr.
    expect(spawnSync('npx', ['--no-install', 'mimas', '--version'], { cwd: folder, encoding: 'utf8', timeout: 60_000 }).stdout).toBe(`${manifest.version}\n`);
    expect(run('npx', ['--no-install', 'mimas', 'run', 'node_modules/mimas/processes/flaky.process.ts', '--max-memory', 'no']).status).toBe(2);
    const script = `import { createProcessManager } from 'mimas';
      const pm = createProcessManager();
      const hasher = await pm.spawn('node_modules/mimas/processes/hasher.process.ts');
      console.log((await hasher.digest(new Uint8Array(0))).slice(0, 8));
      await pm.shutdown();`;
    expect(run('node', ['--input-type=module', '-e', script])).toEqual({ status: 0, output: 'e3b0c442\n' });
  });
});
