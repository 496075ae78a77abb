// Threads and children load the core from the code cache of the program that starts them, and as well without one.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { InvalidOptionError } from 'mimas';
import { root, temporaryProject } from '../helpers/compile.js';
import { isolated, manager, rejection } from '../manager/helpers.js';

interface Inside {
  fromCache(): boolean;
  cores(): boolean[];
  refuse(): void;
  surroundings(): { preloaded: unknown; globals: string[]; script: string; data: string[] };
}

const folder = temporaryProject();
const file = join(folder, 'inside.process.js');

beforeAll(() => {
  writeFileSync(join(folder, 'preload.mjs'), 'globalThis.preloaded = true;');
  writeFileSync(
    file,
    `import { createRequire } from 'node:module';
     import { workerData } from 'node:worker_threads';
     import * as mimas from 'mimas';
     import { isFromCodeCache } from ${JSON.stringify(join(root, 'dist/runtime/code-cache.js'))};
     import { InvalidOptionError } from ${JSON.stringify(join(root, 'dist/errors.js'))};
     const core = createRequire(import.meta.url)(${JSON.stringify(join(root, 'dist/chunks/core.cjs'))});
     class Inside {
       fromCache() { return isFromCodeCache(); }
       cores() { return [core() === core(), core().Process === mimas.Process, core().InvalidOptionError === mimas.InvalidOptionError, InvalidOptionError === mimas.InvalidOptionError]; }
       refuse() { throw new InvalidOptionError('no', { option: 'x' }); }
       surroundings() {
         return { preloaded: globalThis.preloaded, globals: ['require', 'module', 'exports', '__filename', '__dirname'].filter((name) => name in globalThis), script: process.argv[1], data: Object.keys(workerData ?? {}) };
       }
     }
     for (const name of Object.getOwnPropertyNames(Inside.prototype).slice(1)) mimas.Public()(Inside.prototype, name, Object.getOwnPropertyDescriptor(Inside.prototype, name));
     mimas.Process()(Inside);
     export default Inside;`,
  );
});

/** Runs a program beside the process file, under `flags`. */
function program(source: string, ...flags: string[]) {
  const main = join(folder, 'main.mjs');
  writeFileSync(main, `import { createProcessManager } from 'mimas';\nconst pm = createProcessManager();\n${source}\nawait pm.shutdown();`);
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, main], { cwd: folder, encoding: 'utf8', timeout: 30_000 });
  return { status, stderr, said: status === 0 ? (JSON.parse(stdout) as unknown) : stdout };
}

describe.each(isolated)('isolation %s', (isolation) => {
  it('loads the core from the cache, the first time as well as the next', async () => {
    const pm = manager({ isolation });
    for (let start = 0; start < 3; start++) expect(await (await pm.spawn<Inside>(file)).fromCache()).toBe(true);
    const both = program(`const calls = []; for (let i = 0; i < 2; i++) calls.push(await (await pm.spawn(${JSON.stringify(file)}, { isolation: '${isolation}' })).fromCache()); console.log(JSON.stringify(calls));`);
    expect(both).toEqual({ status: 0, stderr: '', said: [true, true] });
  });

  it('has one core, the same for the host and for what the file imports', async () => {
    const inside = await manager({ isolation }).spawn<Inside>(file);
    expect(await inside.cores()).toEqual([true, true, true, true]);
    expect(await rejection(inside.refuse() as unknown as Promise<void>)).toBeInstanceOf(InvalidOptionError);
  });

  it('leaves no trace in the globals and data of the process, and keeps --import', () => {
    const { said } = program(`console.log(JSON.stringify(await (await pm.spawn(${JSON.stringify(file)}, { isolation: '${isolation}', execArgv: ['--import', './preload.mjs'] })).surroundings()));`);
    expect(said).toEqual({ preloaded: true, globals: [], script: expect.stringMatching(/boot-\w+\.cjs$/), data: isolation === 'worker' ? ['port', 'maxFrame', 'latency'] : [] });
    const inherited = program(`console.log(JSON.stringify((await (await pm.spawn(${JSON.stringify(file)}, { isolation: 'worker' })).surroundings()).preloaded));`, '--import', './preload.mjs');
    expect(inherited.said).toBe(true);
  });
});

describe('a cache that V8 refuses', () => {
  it('costs nothing but its advantage: a child under other flags', async () => {
    const inside = await manager().spawn<Inside>(file, { isolation: 'child', execArgv: ['--no-opt'] });
    expect(await inside.fromCache()).toBe(false);
    expect(await inside.cores()).toEqual([true, true, true, true]);
  });

  it('a child with a heap limit starts', async () => {
    expect(await (await manager().spawn<Inside>(file, { isolation: 'child', resources: { maxMemory: '200MB' } })).cores()).toEqual([true, true, true, true]);
  });

  it.each([['garbage', 'key'], ['of another build', '0123456789abcdef']])('%s is not used', (_, key) => {
    const core = join(root, 'dist/chunks/core.cjs');
    const own = /loadCore\(url, '(\w+)'/.exec(readFileSync(core, 'utf8'))![1]!;
    const source = `const core = require(${JSON.stringify(core)})({ key: '${key === 'key' ? own : key}', data: new Uint8Array(5000).fill(7) }); console.log(JSON.stringify([core.isFromCodeCache(), typeof core.Process]));`;
    const { stdout } = spawnSync(process.execPath, ['-e', source], { encoding: 'utf8' });
    expect(stdout).toBe('[false,"function"]\n');
  });
});

describe('the script of the core', () => {
  it('is named with its place in stacks', () => {
    const core = createRequire(import.meta.url)(join(root, 'dist/chunks/core.cjs')) as () => { errorClassOf: object; createProcessManager(options: object): unknown };
    const text = readFileSync(join(root, 'dist/chunks/core-body.cjs'), 'latin1').split('\n');
    let stack = '';
    try {
      core().createProcessManager({ isolation: 'nowhere' });
    } catch (error) {
      stack = (error as Error).stack!;
    }
    const [, line] = /core-body\.cjs:(\d+):\d+/.exec(stack) ?? [];
    expect(text[Number(line) - 1]).toMatch(/throw |new /);
  });
});
