// One line of source finds its process file in development and, compiled, in production; and a package's from where it is called.
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { root, temporaryProject, typescript } from '../helpers/compile.js';

const folder = temporaryProject();
const write = (name: string, text: string) => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
};
const processFile = (name: string) => `import { Process, Public } from 'mimas';
@Process({ name: '${name}' }) export default class { @Public() where() { return import.meta.url.replace(/.*\\//, ''); } }
`;
const WRITTEN = ['calc.process.ts', 'calc.process.js', 'other.process.mts', 'other.process.mjs'];
const ISOLATIONS = ['none', 'worker', 'child'];

write('src/calc.process.ts', processFile('calc'));
write('src/other.process.mts', processFile('other'));
write('src/main.ts', `import { createProcessManager } from 'mimas';
await using pm = createProcessManager();
const at = (name: string) => new URL('./' + name, import.meta.url);
const found: Record<string, unknown> = {};
for (const name of ${JSON.stringify(WRITTEN)}) for (const isolation of ${JSON.stringify(ISOLATIONS)} as const) found[name + ' ' + isolation] = await (await pm.spawn<any>(at(name), { isolation })).where();
for (const name of ['calc.process.ts', 'calc.process.js']) {
  found['pool ' + name] = await (await pm.pool<any>(at(name), { size: 1 })).where();
  found['cpu pool ' + name] = await (await pm.pool<any>(at(name), { size: 1, workload: 'cpu' })).where();
  found['isolate ' + name] = await (await pm.isolate<any>(at(name), { level: 'none' }).get()).where();
  const tree = await pm.supervise([{ name: 'a', file: at(name) }]);
  found['supervise ' + name] = await (tree.get('a') as any).where();
  found['serve ' + name] = await ((await pm.serve<any>(at(name))).process as any).where();
}
console.log(JSON.stringify(found));
`);
write('tsconfig.json', JSON.stringify({ compilerOptions: { target: 'es2022', module: 'nodenext', lib: ['esnext'], outDir: 'dist', rootDir: 'src', types: [], noCheck: true, noEmitOnError: false }, include: ['src'] }));

function run(args: readonly string[], cwd = folder): Record<string, unknown> {
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd, encoding: 'utf8', timeout: 120_000 });
  try {
    return JSON.parse(stdout) as Record<string, unknown>;
  } catch {
    throw new Error(`it printed no JSON:\n${stdout}\n${stderr}`);
  }
}

describe('one line for development and production', () => {
  const kinds = ['pool', 'cpu pool', 'isolate', 'supervise', 'serve'];
  const expected = (script: string, module: string) => Object.fromEntries([
    ...WRITTEN.flatMap((name) => ISOLATIONS.map((isolation) => [`${name} ${isolation}`, /\.m/.test(name) ? module : script])),
    ...['calc.process.ts', 'calc.process.js'].flatMap((name) => kinds.map((kind) => [`${kind} ${name}`, script])),
  ]) as Record<string, string>;

  it('finds the sources while there is no output beside', () => {
    expect(run(['--import', 'mimas/register', 'src/main.ts'])).toEqual(expected('calc.process.ts', 'other.process.mts'));
  });

  it('finds the output where the compiler put it', () => {
    typescript(['-p', folder]);
    expect(run([join(folder, 'dist/main.js')], tmpdir())).toEqual(expected('calc.process.js', 'other.process.mjs'));
  });
});

describe('a package specifier', () => {
  const plain = (says: string) => `import { defineMarker } from './marker.js';
import { Process, Public } from 'mimas';
class Job { where() { return ${JSON.stringify(says)} + defineMarker; } }
Public()(Job.prototype, 'where', Object.getOwnPropertyDescriptor(Job.prototype, 'where'));
Process({ name: 'job' })(Job);
export default Job;
`;
  const jobs = (at: string, says: string) => {
    write(join(at, 'package.json'), JSON.stringify({ name: '@acme/jobs', type: 'module', exports: { './*': './lib/*.js' } }));
    write(join(at, 'lib/resize.process.js'), plain(says));
    write(join(at, 'lib/marker.js'), "export const defineMarker = '!';");
  };
  const KINDS: Readonly<Record<string, string>> = {
    spawn: "(await pm.spawn('@acme/jobs/resize.process')).where()",
    'spawn in a child': "(await pm.spawn('@acme/jobs/resize.process', { isolation: 'child' })).where()",
    pool: "(await pm.pool('@acme/jobs/resize.process', { size: 1 })).where()",
    'cpu pool': "(await pm.pool('@acme/jobs/resize.process', { size: 1, workload: 'cpu' })).where()",
    isolate: "(await pm.isolate('@acme/jobs/resize.process', { level: 'none' }).get()).where()",
    supervise: "(await pm.supervise([{ name: 'job', file: '@acme/jobs/resize.process' }])).get('job').where()",
    serve: "(await pm.serve('@acme/jobs/resize.process')).process.where()",
  };
  const all = `async (pm) => ({ ${Object.entries(KINDS).map(([kind, code]) => `${JSON.stringify(kind)}: await (async () => ${code})()`).join(', ')} })`;

  beforeAll(() => {
    jobs('node_modules/@acme/jobs', 'of the app');
    jobs('node_modules/lib/node_modules/@acme/jobs', 'of the library');
    write('node_modules/lib/package.json', '{ "name": "lib", "type": "module", "exports": "./main.js" }');
    write('node_modules/lib/main.js', `export const ask = ${all};`);
    write('app/main.js', `import { createProcessManager } from 'mimas';
import { ask } from 'lib';
await using pm = createProcessManager();
const own = ${all};
console.log(JSON.stringify({ own: await own(pm), library: await ask(pm) }));
`.replace('await using pm = createProcessManager();', 'const pm = createProcessManager();') + 'await pm.shutdown();\n');
    symlinkSync(root, join(folder, 'node_modules/lib/node_modules/mimas'), 'dir');
  });

  it('is found from the file that calls, whatever the working directory', () => {
    const everywhere = (says: string) => Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, says]));
    expect(run([join(folder, 'app/main.js')], tmpdir())).toEqual({ own: everywhere('of the app!'), library: everywhere('of the library!') });
  });
});
