// TypeScript process files in real threads and real children, in every kind of project, without set-up.
import { fork, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { constructProcess, loadProcessClass } from '#mimas/runtime/load-process.js';
import { root, temporaryProject } from '../helpers/compile.js';

interface Report {
  readonly probe: Record<string, unknown>;
  readonly methods: readonly { name: string; stream: boolean }[];
  readonly health: unknown;
  readonly shutdown: unknown;
  readonly stack: string;
  readonly error?: { readonly phase: string; readonly message: string };
}

const projects = join(root, 'test/fixtures/projects');
const bootstrap = join(root, 'test/fixtures/runtime/bootstrap.mjs');
const dependencies = { greeting: 'hello' };
const bare = temporaryProject('tsyringe', 'reflect-metadata');
cpSync(join(projects, 'no-tsconfig'), bare, { recursive: true });

const inThread = (file: string) => new Promise<Report>((resolve, reject) => {
  const worker = new Worker(bootstrap, { workerData: { file, dependencies } });
  worker.once('message', resolve).once('error', reject);
});

const inChild = (file: string) => new Promise<Report>((resolve, reject) => {
  const child = fork(bootstrap, [JSON.stringify({ file, dependencies })], { execArgv: [], stdio: 'inherit' });
  child.once('message', (report) => resolve(report as unknown as Report)).once('exit', (code) => reject(new Error(`exit ${code}`)));
});

/** A program without vitest's own loader, as isolation `none` has it. */
function inMain(source: string, cwd = root): unknown {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', source], { encoding: 'utf8', cwd });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

const LOADER = `const { loadProcessClass, constructProcess } = await import('#mimas/runtime/load-process.js');`;
const legacy = { flavour: 'legacy', sum: 8, now: 42, greeting: 'hello' };
const standard = { flavour: 'standard', sum: 8, secret: 7 };

const cases = [
  ['legacy flags, tsyringe and path aliases', join(projects, 'legacy/src/calculator.process.ts'), legacy],
  ['standard decorators', join(projects, 'standard/src/calculator.process.ts'), standard],
  ['a tsconfig without flags', join(projects, 'no-flags/src/calculator.process.ts'), standard],
  ['a file outside the include of its tsconfig', join(projects, 'outside-include/processes/calculator.process.ts'), legacy],
  ['no tsconfig at all', join(bare, 'src/calculator.process.ts'), standard],
] as const;

describe.each(cases)('%s', (_, file, probe) => {
  const expected = {
    probe,
    methods: [{ name: 'probe', timeout: 2000, stream: false }, { name: 'countTo', stream: true }, { name: 'fail', stream: false }],
    health: [{ method: 'health', interval: 5000 }],
    shutdown: ['close'],
    // The line in the source, whatever the compiler made of it.
    stack: expect.stringContaining(`${file}:34:`) as string,
  };
  it('loads in a thread', async () => expect(await inThread(file)).toMatchObject(expected));
  it('loads in a child', async () => expect(await inChild(file)).toMatchObject(expected));
  it('loads in the thread of a test runner', async () => {
    const { ctor } = await loadProcessClass(file);
    expect(((await constructProcess(ctor, dependencies)) as { probe(): object }).probe()).toEqual(probe);
  });
  it('loads in the main thread', () => {
    const run = `${LOADER} const { ctor } = await loadProcessClass(${JSON.stringify(file)});
      console.log(JSON.stringify((await constructProcess(ctor, ${JSON.stringify(dependencies)})).probe()));`;
    expect(inMain(run)).toEqual(probe);
  });
});

it('injects constructor parameters in a file of a project without a tsconfig', async () => {
  expect((await inThread(join(bare, 'src/injected.process.mts'))).probe).toEqual({ sum: 8, now: 42, greeting: 'hello' });
});

it('takes parameter decorators for legacy ones where no tsconfig says anything', async () => {
  writeFileSync(join(bare, 'src/parameters.ts'), `import { Process, Public } from 'mimas';
    const mark = (...args: unknown[]) => { marks.push(args[2]); };
    const marks: unknown[] = [];
    /* a comment */ @Process()
    export default class Parameters { constructor(@mark _one?: string) {} @Public() probe(): object { return { marks }; } }`);
  expect((await inThread(join(bare, 'src/parameters.ts'))).probe).toEqual({ marks: [0] });
});

it('evaluates a TypeScript file anew for a version above 0', () => {
  const run = `${LOADER} const file = ${JSON.stringify(cases[1][1])};
    const [one, two] = [await loadProcessClass(file), await loadProcessClass(file, { version: 1 })];
    console.log(JSON.stringify({ same: one.ctor === two.ctor, sum: (await constructProcess(two.ctor)).probe().sum }));`;
  expect(inMain(run)).toEqual({ same: false, sum: 8 });
});

it('loads in a thread of a program that loads the same file itself', () => {
  const run = `${LOADER} const { Worker } = await import('node:worker_threads');
    const file = ${JSON.stringify(cases[1][1])};
    await loadProcessClass(file);
    new Worker(${JSON.stringify(bootstrap)}, { workerData: { file }, execArgv: [] }).once('message', ({ probe }) => console.log(JSON.stringify(probe)));`;
  expect(inMain(run)).toEqual(standard);
});

it('loads under another TypeScript loader that the program was started with', () => {
  const file = cases[1][1];
  const source = `${LOADER} const { ctor } = await loadProcessClass(${JSON.stringify(file)}); console.log(JSON.stringify(new ctor().probe()));`;
  // Strips types as esbuild does, whatever asks for the file.
  const hooks = `import { readFileSync } from 'node:fs';
    import { createRequire } from 'node:module';
    import { fileURLToPath } from 'node:url';
    const { transformSync } = createRequire(${JSON.stringify(`${root}/`)})('esbuild');
    export const load = (url, context, next) => url.endsWith('.ts')
      ? { format: 'module', shortCircuit: true, source: transformSync(readFileSync(fileURLToPath(url), 'utf8'), { loader: 'ts', target: 'es2022' }).code }
      : next(url, context);`;
  const module = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`;
  const other = module(`import { register } from 'node:module'; register(${JSON.stringify(module(hooks))});`);
  // From Node 26 on that loader's own way is deprecated.
  const { stdout, stderr } = spawnSync(process.execPath, ['--disable-warning=DEP0205', '--import', other, '--input-type=module', '-e', source], { encoding: 'utf8', cwd: root });
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual(standard);
});

it('loads a file that is named through a symbolic link', async () => {
  symlinkSync(join(bare, 'src'), join(bare, 'link'), 'dir');
  expect((await inThread(join(bare, 'link/calculator.process.ts'))).probe).toEqual(standard);
});

it('loads from inside node_modules', async () => {
  const folder = join(temporaryProject(), 'node_modules/some-processes');
  cpSync(join(projects, 'no-tsconfig'), folder, { recursive: true });
  expect((await inThread(join(folder, 'src/calculator.process.ts'))).probe).toEqual(standard);
});

it('compiled JavaScript pays for no loader', async () => {
  const file = join(projects, 'compiled-js/calculator.process.js');
  expect((await inThread(file)).probe).toEqual({ loaders: false });
  expect((await inChild(file)).probe).toEqual({ loaders: false });
});

it('gives class fields the meaning that the target of the tsconfig says', async () => {
  const folder = temporaryProject();
  writeFileSync(join(folder, 'tsconfig.json'), '{ "compilerOptions": { "target": "es2020", "experimentalDecorators": true } }');
  writeFileSync(join(folder, 'fields.ts'), `import { Process, Public } from 'mimas';
    class Base { kept = 'base'; }
    @Process() export default class Fields extends Base {
      kept: string;
      constructor(private readonly start = 3) { super(); }
      next = this.start + 1;
      @Public() probe() { return { kept: this.kept, next: this.next }; }
    }`);
  expect((await inThread(join(folder, 'fields.ts'))).probe).toEqual({ kept: 'base', next: 4 });
});

it('asks the referenced project that includes the file when the nearest tsconfig only refers', async () => {
  const folder = temporaryProject();
  writeFileSync(join(folder, 'tsconfig.json'), '{ "files": [], "references": [{ "path": "./tsconfig.node.json" }, { "path": "./tsconfig.app.json" }] }');
  writeFileSync(join(folder, 'tsconfig.node.json'), '{ "include": ["scripts"], "compilerOptions": { "composite": true } }');
  writeFileSync(join(folder, 'tsconfig.app.json'), '{ "include": ["src"], "compilerOptions": { "composite": true, "experimentalDecorators": true } }');
  mkdirSync(join(folder, 'src'));
  writeFileSync(join(folder, 'src/which.ts'), `import { Process, Public } from 'mimas';
    let count = 0; const counted = (...args: unknown[]) => { count = args.length; };
    @Process() export default class Which { @Public() @counted probe() { return { count }; } }`);
  expect((await inThread(join(folder, 'src/which.ts'))).probe).toEqual({ count: 3 });
});

it('reports a tsconfig that cannot be read, by its path', async () => {
  const folder = temporaryProject();
  writeFileSync(join(folder, 'tsconfig.json'), '{ "extends": "./nowhere.json" }');
  writeFileSync(join(folder, 'a.ts'), 'export default class A {}');
  expect((await inThread(join(folder, 'a.ts'))).error).toMatchObject({ phase: 'load', message: expect.stringContaining(join(folder, 'tsconfig.json')) as string });
});

it('registers once, however often it is asked, and leaves other modules and the environment alone', () => {
  const file = cases[1][1];
  const stranger = pathToFileURL(join(bare, 'src/math.ts')).href;
  const run = `
    const { registerTypeScript } = await import('#mimas/runtime/typescript.js');
    const env = JSON.stringify(process.env);
    await Promise.all([registerTypeScript(${JSON.stringify(file)}), registerTypeScript(${JSON.stringify(file)})]);
    await registerTypeScript(${JSON.stringify(file)});
    const { default: Calculator } = await import(${JSON.stringify(pathToFileURL(file).href)});
    const stranger = process.features.typescript ? 'Node strips types' : await import(${JSON.stringify(stranger)}).catch((error) => error.code);
    console.log(JSON.stringify({ sum: new Calculator().probe().sum, stranger, same: env === JSON.stringify(process.env) }));`;
  const stranger20 = 'features' in process && (process.features as { typescript?: unknown }).typescript ? 'Node strips types' : 'ERR_UNKNOWN_FILE_EXTENSION';
  expect(inMain(run)).toEqual({ sum: 8, stranger: stranger20, same: true });
});

it('lets the program end by itself, with no thread or process left', () => {
  const started = Date.now();
  const run = `${LOADER} await loadProcessClass(${JSON.stringify(cases[1][1])}); console.log('1');`;
  expect(inMain(run)).toBe(1);
  expect(Date.now() - started).toBeLessThan(5000);
});

it('survives many threads that load and end at once', async () => {
  const files = Array.from({ length: 12 }, (_, index) => cases[index % 2]![1]);
  const reports = await Promise.all(files.map(inThread));
  expect(reports.map((report) => report.probe['sum'])).toEqual(files.map(() => 8));
});
