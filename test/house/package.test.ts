// The package as users get it: packed, installed into an empty folder, run and type-checked there.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, posix } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { root } from '../helpers/compile.js';
import { OPTIONAL_PACKAGES } from '../../src/optional.js';
import { temporaryFolder } from '../helpers/temporary.js';

const folder = temporaryFolder('mimas-package-');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string; homepage: string; exports: Record<string, unknown>; dependencies: Record<string, string>; devDependencies: Record<string, string>; peerDependencies: Record<string, string>; peerDependenciesMeta: Record<string, { optional: boolean }> };
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
    expect(packed).toEqual(expect.arrayContaining(['package.json', 'README.md', 'LICENSE', 'THIRD-PARTY-LICENSES.md', 'dist/index.js', 'dist/index.d.ts', 'dist/register.js', 'dist/pipeline/proto/control_plane.proto', 'dist/pipeline/proto/descriptors.pb', 'dist/launcher/proto/descriptors.pb', 'docs/pipeline.schema.json', 'dist/cli/main.js', 'processes/calculator.process.ts']));
    expect(packed.filter((file) => !/^(package\.json|README\.md|LICENSE|THIRD-PARTY-LICENSES\.md|dist\/.+\.(c?js|d\.ts|c?js\.map|proto|pb|html|css)|docs\/.+\.(md|svg|schema\.json)|processes\/.+\.ts|examples\/.+|bench\/readme-table\.ts|src\/pipeline\/proto\/.+\.(proto|pb))$/.test(file))).toEqual([]);
  });

  it('has no lifecycle script that runs at the user', () => {
    const { scripts } = JSON.parse(readFileSync(join(folder, 'node_modules/mimas/package.json'), 'utf8')) as { scripts: Record<string, string> };
    expect(Object.keys(scripts).filter((name) => /^(?:(?:pre|post)?(?:install|prepare)|prepublish)$/.test(name))).toEqual([]);
  });

  it('says where it comes from, alike everywhere', () => {
    const { license, homepage, repository, bugs, keywords } = manifest as unknown as { license: string; homepage: string; repository: { url: string }; bugs: { url: string }; keywords: string[] };
    const home = homepage.replace('#readme', '');
    expect({ license, repository: repository.url, bugs: bugs.url }).toEqual({ license: 'MIT', repository: `git+${home}.git`, bugs: `${home}/issues` });
    expect(keywords.length).toBeGreaterThan(5);
    expect(readFileSync(join(root, 'LICENSE'), 'utf8')).toMatch(/^MIT License\n\nCopyright \(c\) 2026 /);
  });

  it('has no words of those who made it that mean nothing to its users', () => {
    const pages = packed.filter((file) => /\.(md|d\.ts|schema\.json)$|^(?:examples|processes)\/.*\.ts$/.test(file));
    expect(pages.filter((file) => /\bthe seed(?:'s|s')?\b|\bseeds? \d{3}\b/i.test(readFileSync(join(root, file), 'utf8')))).toEqual([]);
  });

  it('says what to install for what it leaves out, and only for that', () => {
    const optional = [...new Set(Object.values(OPTIONAL_PACKAGES).flat())].sort();
    expect(Object.keys(manifest.peerDependencies).sort()).toEqual(optional);
    expect(manifest.peerDependenciesMeta).toEqual(Object.fromEntries(optional.map((name) => [name, { optional: true }])));
    expect(optional.filter((name) => manifest.devDependencies[name] !== manifest.peerDependencies[name] || name in manifest.dependencies)).toEqual([]);
  });

  it('names the licence of what is bundled', () => {
    expect(readFileSync(join(folder, 'node_modules/mimas/dist/chunks/core-body.cjs'), 'utf8')).toMatch(/reader of msgpackr: MIT License\s+Copyright \(c\) \d+ Kris Zyp/);
  });
});

describe('the lockfile', () => {
  const packages = (JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, { version?: string; integrity?: string; resolved?: string; optionalDependencies?: Record<string, string> }> }).packages;

  it('has every package that any platform installs, so that `npm ci` works there', () => {
    const known = new Set(Object.entries(packages).filter(([, { version, integrity }]) => version && integrity).map(([path]) => path.replace(/^.*node_modules\//, '')));
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) => Object.keys(optionalDependencies).filter((name) => !known.has(name)).map((name) => `${path} wants ${name}`));
    expect(missing).toEqual([]);
    expect([...known].filter((name) => name.startsWith('@oxc-transform/')).length).toBeGreaterThan(15);
  });

  it('names no registry', () => {
    expect(Object.values(packages).filter(({ resolved }) => resolved !== undefined)).toEqual([]);
  });
});

/** Packages without the folder of links, and bytes of files. */
function installed(): { names: string[]; bytes: number; scripts: string[] } {
  const { packages } = JSON.parse(readFileSync(join(folder, 'node_modules/.package-lock.json'), 'utf8')) as { packages: Record<string, { hasInstallScript?: boolean }> };
  const files = readdirSync(join(folder, 'node_modules'), { recursive: true, encoding: 'utf8' }).map((name) => lstatSync(join(folder, 'node_modules', name)));
  return { names: Object.keys(packages), bytes: files.reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0), scripts: Object.entries(packages).filter(([, { hasInstallScript }]) => hasInstallScript).map(([name]) => name) };
}

describe('what `npm install mimas` brings', () => {
  it('is at most 25 packages of 25 MB, and runs no install script', () => {
    const { names, bytes, scripts } = installed();
    expect(names.length).toBeGreaterThan(10);
    expect(names.length).toBeLessThanOrEqual(25);
    expect(bytes / 2 ** 20).toBeLessThanOrEqual(25);
    expect(scripts).toEqual([]);
  });

  const program = (body: string) => `import { createProcessManager } from 'mimas';
    import { ContainerOrchestrator, ControlPlane } from 'mimas/pipeline';
    import { createLauncher } from 'mimas/launcher';
    import { createPrometheusCollector } from 'mimas/supervisor';
    const say = ({ code, packages, command, message, cause }) => console.log(code ?? message, String(packages), message.includes(command), cause?.code ?? '');
    await using pm = createProcessManager();
    ${body}`;
  it.each([
    ['metrics in the Prometheus format', 'await pm.prometheus().catch(say);'],
    ['metrics in the Prometheus format', 'await createPrometheusCollector().catch(say);'],
    ['running components as containers', 'await new ContainerOrchestrator().prepare({}).catch(say);'],
    ['the control plane of a pipeline', `await new ControlPlane({ port: 0 }).listen({ listen: ['127.0.0.1'], tell: '127.0.0.1' }).catch(say);`],
    ['a launcher that serves gRPC', `await using launcher = await createLauncher({ patternsDir: 'patterns' }); await launcher.serve({ grpcPort: 0, metricsPort: 0 }).catch(say);`],
  ] as const)('does not bring %s, which names what to install (%#)', { timeout: 60_000 }, (feature, body) => {
    mkdirSync(join(folder, 'patterns/hello'), { recursive: true });
    writeFileSync(join(folder, 'patterns/hello/manifest.yaml'), 'name: hello\nversion: 1.0.0\nexecutable: /bin/true\n');
    writeFileSync(join(folder, 'feature.ts'), program(body));
    expect(run('node', ['--import', 'mimas/register', 'feature.ts'])).toEqual({ status: 0, output: `PACKAGE_MISSING ${OPTIONAL_PACKAGES[feature]} true ERR_MODULE_NOT_FOUND\n` });
  });

  it.each(['worker', 'child', 'none'])('compiles Mimas’ own decorators, and names what others need (%s)', { timeout: 60_000 }, (isolation) => {
    writeFileSync(join(folder, 'own.process.ts'), `import { Process, Public } from 'mimas';
      function logged(method: () => number, _context: ClassMethodDecoratorContext) { return method; }
      @Process() export default class Own { @Public() @logged add(): number { return 1; } }`);
    writeFileSync(join(folder, 'own.ts'), `import { createProcessManager } from 'mimas';
      await using pm = createProcessManager({ isolation: '${isolation}' });
      console.log(await (await pm.spawn('calculator.process.ts')).add(1, 2));
      await pm.spawn('own.process.ts').catch(({ code, phase, message }) => console.log(code, phase, /@logged/.test(message), message.includes("npm install esbuild ")));`);
    expect(run('node', ['--import', 'mimas/register', 'own.ts'])).toEqual({ status: 0, output: '3\nPROCESS_START_FAILED load true true\n' });
  });

  it('runs a pipeline, without the control plane unless that was asked for', { timeout: 60_000 }, () => {
    writeFileSync(join(folder, 'pipeline.yaml'), `apiVersion: mimas/v1
kind: Pipeline
metadata: { name: packed }
spec:
  sources: [{ id: once, command: [node, -e, "console.log('it ran')"], restart_policy: 'no' }]
`);
    const { status, output } = run('npx', ['--no-install', 'mimas', 'run', 'pipeline.yaml']);
    expect({ status, output }).toMatchObject({ status: 0, output: expect.stringContaining('it ran') });
    expect(output).toContain('running without a control plane');
    expect(output).toContain('npm install @grpc/grpc-js @grpc/proto-loader @grpc/reflection');
    expect(run('npx', ['--no-install', 'mimas', 'run', 'pipeline.yaml', '--control-plane-port', '0']).output).toContain('PackageMissingError');
  });

  it('remembers a bounded number of measurements that nobody can ask for', { timeout: 60_000 }, () => {
    writeFileSync(join(folder, 'journal.mjs'), `import { MetricsJournal } from ${JSON.stringify(join(folder, 'node_modules/mimas/dist/manager/metrics-journal.js'))};
      const journal = new MetricsJournal();
      await journal.collector().catch(({ code }) => console.log(code));
      for (let i = 0; i < 2_000_000; i++) journal.processSyncDuration('a', 'sync', i);
      console.log(await journal.collector().catch(({ code }) => code));`);
    expect(run('node', ['--max-old-space-size=64', 'journal.mjs'])).toEqual({ status: 0, output: 'PACKAGE_MISSING\nPACKAGE_MISSING\n' });
  });
});

describe('installed into an empty folder', () => {
  it('has what its pages link to', () => {
    const missing = packed.filter((file) => file.endsWith('.md')).flatMap((page) => {
      const links = readFileSync(join(root, page), 'utf8').replaceAll(`](${manifest.homepage.replace('#readme', '/blob/main/')}`, '](').matchAll(/\]\((?!https?:|#)([^)#]+)/g);
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
