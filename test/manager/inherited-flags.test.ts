// Processes run under the flags of their program, and their stacks show the lines that its own do.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeAll, describe, expect, it } from 'vitest';
import { bin } from '../helpers/command.js';
import { root, temporaryProject, typescript } from '../helpers/compile.js';

const folder = temporaryProject();
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);

beforeAll(() => {
  mkdirSync(join(folder, 'src'));
  write('src/inside.process.ts', `import { Process, Public } from 'mimas';
interface Only { types: 'here' }
@Process({ name: 'inside' })
export default class Inside {
  @Public() flags() { return { execArgv: process.execArgv, argv: process.argv.slice(2), preloaded: (globalThis as { preloaded?: boolean }).preloaded ?? false, gc: typeof globalThis.gc }; }
  @Public() fail(): Only { throw new Error('mapped?'); }
}
`);
  write('preload.mjs', 'globalThis.preloaded = true;');
  write('tsconfig.json', JSON.stringify({ compilerOptions: { target: 'es2022', module: 'nodenext', sourceMap: true, outDir: 'dist', rootDir: 'src', types: [], noCheck: true, noEmitOnError: false }, include: ['src'] }));
  typescript(['-p', folder]);
});

/** Of a program with those flags, what its processes say. */
function say(flags: readonly string[], code: string, { evaluated = false, main = 'main.mjs' } = {}): unknown {
  const program = `import { createProcessManager } from 'mimas';
const pm = createProcessManager();
const FILE = 'dist/inside.process.js';
const say = (value) => console.log(JSON.stringify(value));
const frame = (call) => call.then(() => 'no error', (error) => /inside\\.process\\.[jt]s:\\d+/.exec(error.stack)?.[0]);
${code}
await pm.shutdown();`;
  if (!evaluated) write(main, program);
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, ...(evaluated ? ['--input-type=module', '--eval', program] : [main]), 'own', 'argument'], { cwd: folder, encoding: 'utf8', timeout: 120_000 });
  try {
    return JSON.parse(stdout);
  } catch {
    throw new Error(`no JSON: ${stdout}\n${stderr}`);
  }
}

const FLAGS = "say((await (await pm.spawn(FILE, { isolation: 'child' })).flags()));";

describe('flags', () => {
  it('a child has those of its program, but for its debugger', () => {
    expect(say(['--import', './preload.mjs', '--expose-gc', '--inspect-port=0'], FLAGS)).toEqual({ execArgv: ['--import', './preload.mjs', '--expose-gc'], argv: [], preloaded: true, gc: 'function' });
  });

  it('a child in another folder has them, too', () => {
    expect(say(['--import', './preload.mjs'], "say((await (await pm.spawn(FILE, { isolation: 'child', cwd: '/' })).flags()).preloaded);")).toBe(true);
  });

  it('its own instead, when it is given any', () => {
    expect(say(['--expose-gc'], "say((await (await pm.spawn(FILE, { isolation: 'child', execArgv: [], argv: ['x'] })).flags()));")).toEqual({ execArgv: [], argv: ['x'], preloaded: false, gc: 'undefined' });
  });

  it.each(['worker', 'child'])('a program that was given as text can spawn: %s', (isolation) => {
    expect(say(['--no-warnings'], `say((await (await pm.spawn(FILE, { isolation: '${isolation}' })).flags()).argv);`, { evaluated: true })).toEqual([]);
  });

  it.each([['a pipeline', 'pipeline.yaml'], ['mimas run', 'says.process.js']])('the process files of %s have them, too', async (_, file) => {
    write('says.process.js', "import { defineGc } from './gc.js'; import { Process } from 'mimas'; class Says { init() { console.log(`gc: ${defineGc}`); } } Process({ name: 'says' })(Says); export default Says;");
    write('gc.js', 'export const defineGc = typeof globalThis.gc;');
    write('pipeline.yaml', 'apiVersion: mimas/v1\nkind: Pipeline\nmetadata: { name: flags }\nspec: { sources: [{ id: says, process: ./says.process.js }] }\n');
    const mimas = spawn(process.execPath, ['--expose-gc', bin, 'run', file, ...(file.endsWith('.js') ? ['--isolation', 'child'] : [])], { cwd: folder, env: { ...process.env, NO_COLOR: '1' } });
    const lines: string[] = [];
    for (const stream of [mimas.stdout, mimas.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        if (line.includes('gc: ')) mimas.kill('SIGTERM');
      });
    }
    await once(mimas, 'close');
    expect(lines.join('\n')).toContain('gc: function');
  });

  it('a program that was given as text can have CPU pools', () => {
    expect(say([], "say((await (await pm.pool(FILE, { size: 1, workload: 'cpu' })).flags()).argv);", { evaluated: true })).toEqual([]);
  });
});

describe('lines of the sources in stacks', () => {
  const places = {
    worker: "await pm.spawn(FILE, { isolation: 'worker' })",
    child: "await pm.spawn(FILE, { isolation: 'child' })",
    'child with flags of its own': "await pm.spawn(FILE, { isolation: 'child', execArgv: ['--no-warnings'] })",
    'cpu pool': "await pm.pool(FILE, { size: 1, workload: 'cpu' })",
    none: "await pm.spawn(FILE, { isolation: 'none' })",
  };
  const all = `say({ ${Object.entries(places).map(([name, spawn]) => `${JSON.stringify(name)}: await frame((${spawn}).fail())`).join(', ')} });`;
  const everywhere = (frame: RegExp) => Object.fromEntries(Object.keys(places).map((place) => [place, expect.stringMatching(frame) as string]));

  it.each([
    ['by flag', ['--enable-source-maps'], all],
    ['by itself', [], `process.setSourceMapsEnabled(true);\n${all}`],
  ])('are there where the program shows them: %s', (_, flags, code) => {
    expect(say(flags, code)).toEqual(everywhere(/^inside\.process\.ts:6$/));
  });

  it.each([
    ['by flag', ['--enable-source-maps'], 'main.mjs'],
    ['in a TypeScript program', ['--import', 'mimas/register'], 'main.ts'],
  ])("are there of this package's own, with the right lines: %s", (_, flags, main) => {
    const { frames, crossed } = say(flags, `
const error = await pm.spawn('not-there.process.js').catch((error) => error);
const crossed = await (await pm.spawn(FILE)).fail().catch((error) => error);
say({ frames: [...error.stack.matchAll(/at (\\S+) .*\\/src\\/(\\S+\\.ts):(\\d+)/g)].map(([, name, file, line]) => [name, file, Number(line)]), crossed: crossed.stack });`, { main }) as { frames: [string, string, number][]; crossed: string };
    expect(frames.map(([name]) => name)).toEqual(expect.arrayContaining(['resolveProcessFile', 'ProcessManager.spawnUnit', 'ProcessManager.spawn']));
    for (const [name, file, line] of frames) expect(readFileSync(join(root, 'src', file), 'utf8').split('\n')[line - 1], `${name} at ${file}:${line}`).toMatch(/refuse\(|resolveProcessFile\(|spawnUnit\(|new ProcessStartError\(/);
    // Where an error crossed they say nothing.
    expect(crossed).toMatch(/inside\.process\.ts/);
    expect(crossed).not.toMatch(/\/src\/(?:rpc|manager|transport|runtime)\//);
  });

  it('are not where it does not', () => {
    expect(say([], all)).toEqual(everywhere(/^inside\.process\.js:\d+$/));
  });
});
