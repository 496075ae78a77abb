// Starts that fail say why at once and leave nothing behind; starts that work get what they were given.
import { writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InitError, InvalidOptionError, MemoryLimitError, ProcessStartError, UnknownOptionError, UnsupportedOptionError, type SpawnOptions } from 'mimas';
import { children, fixture, fixtures, isolated, isolations, linesOf, manager, rejection, subjectFile, temporaryFile, type Subject } from './helpers.js';

/** A failing start must be told within this time on a busy two-core machine, ms. */
const PROMPT = 4000;

const escaped: unknown[] = [];
const note = (error: unknown) => void escaped.push(error);
beforeEach(() => {
  escaped.length = 0;
  process.on('uncaughtException', note);
  process.on('unhandledRejection', note);
});
afterEach(async () => {
  // An escape would surface in one of the next turns.
  await new Promise((resolve) => setImmediate(resolve));
  process.off('uncaughtException', note);
  process.off('unhandledRejection', note);
  expect(escaped).toEqual([]);
});

async function failedStart(file: URL | string, options: SpawnOptions) {
  const pm = manager();
  const started = performance.now();
  const error = await rejection(pm.spawn(file, options));
  expect(performance.now() - started).toBeLessThan(PROMPT);
  expect(pm.listProcesses()).toEqual([]);
  expect(children()).toEqual([]);
  return error;
}

/** Not among the fixtures: no linter could read it. */
const syntaxFile = temporaryFile('syntax.js');
writeFileSync(syntaxFile, 'export default class Broken {\n  add( { return 1; }\n}\n');
const broken = (name: string) => (name === 'syntax.js' ? pathToFileURL(syntaxFile) : fixture(`broken/${name}`));

interface Failure { file: string; phase: string; message: RegExp; cause?: object; stderr?: RegExp; exitCode?: number }

const everywhere: Failure[] = [
  { file: 'no-default.js', phase: 'load', message: /no default export \(it exports only subject\)/ },
  { file: 'undecorated.js', phase: 'load', message: /the class Undecorated has no @Process\(\)/ },
  { file: 'syntax.js', phase: 'load', message: /syntax error: .*syntax\.js:2:/, cause: { name: 'SyntaxError' } },
  { file: 'throws.js', phase: 'load', message: /it threw while it was evaluated: RangeError: no database/, cause: { name: 'RangeError', message: 'no database' }, stderr: /about to throw/ },
  { file: 'constructor-throws.js', phase: 'construct', message: /cannot construct Broken of .*: no database/, cause: { name: 'RangeError', message: 'no database' }, stderr: /constructing/ },
];
const onlyIsolated: Failure[] = [
  { file: 'stray-throw.js', phase: 'init', message: /threw during init: stray/, cause: { name: 'RangeError', message: 'stray' } },
  { file: 'stray-rejection.js', phase: 'init', message: /threw during init: stray/, cause: { name: 'RangeError', message: 'stray' } },
  { file: 'exits-in-load.js', phase: 'load', message: /ended in phase 'load'.*exited with code 3/, exitCode: 3, stderr: /leaving/ },
  { file: 'exits-in-init.js', phase: 'init', message: /ended in phase 'init'.*exited with code 4/, exitCode: 4, stderr: /leaving/ },
];

describe.each(isolations)('a start that fails in isolation %s says why, at once', (isolation) => {
  const failures = isolation === 'none' ? everywhere : [...everywhere, ...onlyIsolated];
  it.each(failures)('$file', async ({ file, phase, message, cause, stderr, exitCode }) => {
    const error = await failedStart(broken(file), { isolation });
    expect(error).toBeInstanceOf(ProcessStartError);
    expect(error).toMatchObject({ code: 'PROCESS_START_FAILED', phase, file: fileURLToPath(broken(file)) });
    expect(error.message).toMatch(message);
    if (cause) expect(error.cause).toMatchObject(cause);
    if (stderr && isolation !== 'none') expect(error.stderrTail).toMatch(stderr);
    if (exitCode !== undefined) expect(error.exitCode).toBe(exitCode);
  });

  it('an init that throws is an InitError that keeps the thrown error as its cause', async () => {
    const error = await failedStart(broken('init-throws.js'), { isolation });
    expect(error).toBeInstanceOf(InitError);
    expect(error).toMatchObject({ code: 'INIT_FAILED', phase: 'init', file: fileURLToPath(broken('init-throws.js')) });
    expect(error.cause).toMatchObject({ name: 'RangeError', message: 'no database', code: 'E_DATABASE', host: 'localhost' });
    expect(error.cause).toBeInstanceOf(RangeError);
    if (isolation !== 'none') expect(error.stderrTail).toMatch(/connecting/);
  });

  it('is not tried again', async () => {
    const log = temporaryFile();
    await failedStart(broken('init-throws.js'), { isolation, dependencies: { log } });
    expect(linesOf(log)).toEqual(['start']);
  });
});

describe('ends that only a real process has', () => {
  it('a child killed during init rejects with the signal', async () => {
    const error = await failedStart(broken('killed-in-init.js'), { isolation: 'child' });
    expect(error).toMatchObject({ code: 'PROCESS_START_FAILED', phase: 'init', signal: 'SIGKILL' });
  });

  // Together, because each takes its whole startup timeout; that one is long, because a busy machine takes long to start them.
  it.each(isolated)('a %s that is never ready is ended at its startup timeout, and its error says in which phase it hangs', async (isolation) => {
    const pm = manager({ isolation, startupTimeout: 3000 });
    const [waits, ends, blocks, blocksInConstructor] = await Promise.all(['never-ready.js', 'ends-quietly.js', 'blocks.js', 'blocks-in-constructor.js'].map((file) => rejection(pm.spawn(broken(file)))));
    for (const [error, phase] of [[waits, 'init'], [ends, 'init'], [blocks, 'load'], [blocksInConstructor, 'construct']] as const) {
      expect(error).toMatchObject({ code: 'PROCESS_START_FAILED', phase });
      expect(error!.message).toMatch(new RegExp(`not ready within 3000 ms; it hangs in phase '${phase}'`));
    }
    expect(waits!.stderrTail).toMatch(/waiting for nothing/);
    // What a blocked thread prints never leaves it.
    if (isolation === 'child') expect(blocks!.stderrTail).toMatch(/blocking/);
    expect(pm.listProcesses()).toEqual([]);
    expect(children()).toEqual([]);
  });

  it('a child with a working directory that is not there is refused by name', async () => {
    const error = await failedStart(subjectFile, { isolation: 'child', cwd: '/nowhere/at/all' });
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(error.message).toMatch(/cwd.*\/nowhere\/at\/all/);
  });

  it.each(isolated)('a %s that needs more memory than allowed during start is a MemoryLimitError', async (isolation) => {
    const error = await failedStart(fixture('broken/leaks.js'), { isolation, resources: { maxMemory: '16MB' }, startupTimeout: 15_000 });
    expect(error).toBeInstanceOf(MemoryLimitError);
  });

  it.each(isolated)('an unknown flag of Node is refused for a %s', async (isolation) => {
    const error = await failedStart(subjectFile, { isolation, execArgv: ['--no-such-flag'] });
    if (isolation === 'worker') expect(error).toMatchObject({ code: 'INVALID_OPTION', option: 'execArgv', message: expect.stringContaining('--no-such-flag') });
    else expect(error).toMatchObject({ code: 'PROCESS_START_FAILED', exitCode: 9, stderrTail: expect.stringContaining('--no-such-flag') });
  });

  it('a start that fails leaves other units alone', async () => {
    const pm = manager();
    const other = await pm.spawn<Subject>(subjectFile, { isolation: 'none' });
    await rejection(pm.spawn(broken('throws.js')));
    expect(await other.add(1, 2)).toBe(3);
    expect(pm.listProcesses()).toHaveLength(1);
  });

  it.each(isolated)('a stop while a %s starts ends it, and spawn rejects', async (isolation) => {
    const pm = manager();
    const spawning = pm.spawn(broken('never-ready.js'), { isolation });
    const failed = rejection(spawning);
    await expect.poll(() => pm.listProcesses()).toHaveLength(1);
    const { id } = pm.listProcesses()[0]!;
    await pm.stop(id);
    expect(await failed).toMatchObject({ code: 'PROCESS_STOPPED' });
    expect(pm.listProcesses()).toEqual([]);
    expect(children()).toEqual([]);
  });
});

describe('the file of a process', () => {
  it('a wrong path is refused with the path tried and what was probably meant', async () => {
    const error = await failedStart(new URL('subjct.js', fixtures), {});
    expect(error).toMatchObject({ code: 'PROCESS_START_FAILED', phase: 'resolve', file: fileURLToPath(new URL('subjct.js', fixtures)) });
    expect(error.message).toMatch(/there is no file .*subjct\.js; did you mean subject\.js\?/);
  });

  it('a relative path that is wrong says what it was taken relative to', async () => {
    expect((await failedStart('./no/such.js', {})).message).toContain(`(./no/such.js was taken relative to ${process.cwd()})`);
  });

  it.each([
    ['a path relative to the working directory', relative(process.cwd(), fileURLToPath(subjectFile))],
    ['an absolute path', fileURLToPath(subjectFile)],
    ['a URL', subjectFile],
    ['the text of a file URL', subjectFile.href],
  ])('%s works', async (_, file) => {
    const subject = await manager().spawn<Subject>(file, { isolation: 'none' });
    expect(await subject.add(1, 2)).toBe(3);
    expect(subject.$handle.file).toBe(fileURLToPath(subjectFile));
  });
});

describe('what a process is given', () => {
  it.each(isolations)('dependencies arrive whole in %s: dates, maps, buffers, cycles', async (isolation) => {
    const cycle: { name: string; self?: unknown } = { name: 'round' };
    cycle.self = cycle;
    const dependencies = { date: new Date(-1), map: new Map([[{ k: 1 }, new Set([1n])]]), buffer: Buffer.from('abc'), floats: new Float64Array([-0, NaN]), pattern: /x/gi, nothing: undefined, cycle };
    const subject = await manager().spawn<Subject>(subjectFile, { isolation, dependencies });
    const given = (await subject.given()) as typeof dependencies;
    expect(given).not.toBe(dependencies);
    expect(given.date).toEqual(new Date(-1));
    expect([...given.map]).toEqual([[{ k: 1 }, new Set([1n])]]);
    expect(Buffer.from(given.buffer).toString()).toBe('abc');
    expect(Object.is(given.floats[0], -0)).toBe(true);
    expect(given.pattern).toEqual(/x/gi);
    expect('nothing' in given).toBe(true);
    expect(given.cycle.self).toBe(given.cycle);
  });

  it('dependencies that cannot cross are refused by path, and nothing is left', async () => {
    const error = await failedStart(subjectFile, { dependencies: { db: { connection: Symbol('open') } } });
    expect(String(error.message)).toMatch(/db\.connection|db/);
  });

  it('a child gets env, cwd, argv and execArgv', async () => {
    process.env['MIMAS_TEST_INHERITED'] = 'inherited';
    process.env['MIMAS_TEST_REMOVED'] = 'removed';
    const subject = await manager().spawn<Subject>(subjectFile, { isolation: 'child', cwd: '/tmp', argv: ['--level', '3'], execArgv: ['--no-warnings'], env: { MIMAS_TEST: 'own', MIMAS_TEST_REMOVED: undefined } });
    const { pid, argv, cwd, execArgv, env } = await subject.about();
    expect(pid).not.toBe(process.pid);
    expect(pid).toBe(subject.$handle.pid);
    expect({ argv, cwd }).toEqual({ argv: ['--level', '3'], cwd: '/tmp' });
    expect(execArgv).toContain('--no-warnings');
    expect(env).toMatchObject({ MIMAS_TEST: 'own', MIMAS_TEST_INHERITED: 'inherited' });
    expect(env).not.toHaveProperty('MIMAS_TEST_REMOVED');
    expect(env).not.toHaveProperty('MIMAS_CHANNEL');
  });

  it('a worker gets env, argv and execArgv', async () => {
    const subject = await manager().spawn<Subject>(subjectFile, { argv: ['--level', '3'], execArgv: ['--no-warnings'], env: { MIMAS_TEST: 'own' } });
    const { pid, threadId, argv, execArgv, env } = await subject.about();
    expect(pid).toBe(process.pid);
    expect(threadId).toBe(subject.$handle.threadId);
    expect(argv).toEqual(['--level', '3']);
    expect(execArgv).toEqual(['--no-warnings']);
    expect(env).toMatchObject({ MIMAS_TEST: 'own', PATH: process.env['PATH'] });
    expect(process.env).not.toHaveProperty('MIMAS_TEST');
  });

  it('name and version come from @Process, unless spawn gives others', async () => {
    const pm = manager();
    const [plain, named] = [await pm.spawn<Subject>(subjectFile), await pm.spawn<Subject>(subjectFile, { name: 'other', version: '9.0.0' })];
    expect(pm.getProcess(plain)).toMatchObject({ name: 'subject', version: '2.3.4', status: 'running' });
    expect(pm.getProcess(named.__processId)).toMatchObject({ name: 'other', version: '9.0.0' });
    expect(pm.discover<Subject>('other')?.__processId).toBe(named.__processId);
    expect(pm.getProcess(plain)!.startTime).toBeInstanceOf(Date);
  });
});

describe('options', () => {
  it.each<[object, string, string | undefined]>([
    [{ isolaton: 'child' }, 'spawn.isolaton', 'isolation'],
    [{ restartPolicy: { maxRestart: 1 } }, 'spawn.restartPolicy.maxRestart', 'maxRestarts'],
    [{ restartPolicy: { backoff: { inital: 1 } } }, 'restartPolicy.backoff.inital', 'initial'],
    [{ resources: { memory: '1MB' } }, 'resources.memory', undefined],
    [{ monitoring: { metric: true } }, 'monitoring.metric', 'metrics'],
    [{ monitoring: { healthCheck: { intervall: 3 } } }, 'monitoring.healthCheck.intervall', 'interval'],
    [{ tls: { keys: 'x' } }, 'tls.keys', 'key'],
  ])('an unknown one is refused by name, with what was probably meant: %j', async (options, option, suggestion) => {
    const error = await failedStart(subjectFile, options as SpawnOptions);
    expect(error).toBeInstanceOf(UnknownOptionError);
    expect(error.option).toContain(option.replace(/^spawn\./, ''));
    expect(error.suggestion).toBe(suggestion);
    if (suggestion) expect(error.message).toContain(`did you mean '${suggestion}'?`);
  });

  it.each<[string, SpawnOptions]>([
    ['env', { isolation: 'none', env: { A: '1' } }],
    ['argv', { isolation: 'none', argv: ['x'] }],
    ['execArgv', { isolation: 'none', execArgv: ['--no-warnings'] }],
    ['cwd', { isolation: 'none', cwd: '/tmp' }],
    ['cwd', { isolation: 'worker', cwd: '/tmp' }],
    ['resources.maxMemory', { isolation: 'none', resources: { maxMemory: '64MB' } }],
    ['outputOverflow', { isolation: 'none', outputOverflow: 'drop' }],
    ['tls', { transport: 'ipc', tls: {} }],
    ['tls', { transport: 'unix', tls: {} }],
  ])('%s is refused where it cannot work: %j', async (option, options) => {
    const error = await failedStart(subjectFile, options);
    expect(error).toBeInstanceOf(UnsupportedOptionError);
    expect(error.option).toBe(option);
    expect(error.message).toContain(option);
  });

  it.each<[string, object]>([
    ['isolation', { isolation: 'vm' }],
    ['transport', { transport: 'pigeon' }],
    ['output', { output: 'none' }],
    ['outputOverflow', { outputOverflow: 'block' }],
    ['name', { name: '' }],
    ['version', { version: 3 }],
    ['env', { env: 'A=1' }],
    ['env.A', { env: { A: 1 } }],
    ['argv', { argv: [1] }],
    ['execArgv', { execArgv: '--x' }],
    ['cwd', { isolation: 'child', cwd: '' }],
    ['startupTimeout', { startupTimeout: 'soon' }],
    ['gracePeriod', { gracePeriod: -1 }],
    ['queueTimeout', { queueTimeout: 'x' }],
    ['stuckTimeout', { stuckTimeout: NaN }],
    ['latency', { latency: 'lowest' as never }],
    ['maxQueue', { maxQueue: 1.5 }],
    ['maxFrame', { maxFrame: 'big' }],
    ['resources', { resources: 5 }],
    ['resources.maxMemory', { resources: { maxMemory: 'much' } }],
    ['resources.maxCpu', { resources: { maxCpu: '80%' } }],
    ['resources.timeout', { resources: { timeout: 'x' } }],
    ['monitoring.metrics', { monitoring: { metrics: 'yes' } }],
    ['monitoring.tracing', { monitoring: { tracing: 1 } }],
    ['monitoring.healthCheck', { monitoring: { healthCheck: 3 } }],
    ['monitoring.healthCheck', { monitoring: { healthCheck: null } }],
    ['monitoring.healthCheck.interval', { monitoring: { healthCheck: { interval: 'x' } } }],
    ['monitoring.healthCheck.interval', { monitoring: { healthCheck: { interval: 0 } } }],
    ['restartPolicy.type', { restartPolicy: { type: 'always' } }],
    ['restartPolicy.maxRestarts', { restartPolicy: { maxRestarts: -1 } }],
    ['restartPolicy.window', { restartPolicy: { window: 'x' } }],
  ])('%s with a senseless value is refused by name: %j', async (option, options) => {
    const error = await failedStart(subjectFile, options as SpawnOptions);
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(error.option).toBe(option);
    expect(error.message).toContain(option);
  });

  it('those of the manager are checked as well, before anything starts', () => {
    expect(() => manager({ isolatin: 'child' } as object)).toThrow(UnknownOptionError);
    expect(() => manager({ testing: { mock: true } } as object)).toThrow(UnknownOptionError);
    expect(() => manager({ resources: { maxMemory: 'x' } })).toThrow(InvalidOptionError);
    expect(() => manager({ name: '' })).toThrow(InvalidOptionError);
  });

  it("a spawn's own win over the manager's, key by key", async () => {
    const pm = manager({ isolation: 'none', transport: 'tcp', name: 'host', monitoring: { tracing: true } });
    const subject = await pm.spawn<Subject>(subjectFile, { transport: 'http' });
    expect(pm.getProcess(subject)).toMatchObject({ isolation: 'none', transport: 'ws' });
    expect(await subject.headers()).toHaveProperty('traceparent');
  });
});

describe('the child of a first spawn, which boots before the manager is ready for it', () => {
  it('is heard from its first line on', async () => {
    const pm = manager();
    const lines: string[] = [];
    pm.on('log', ({ line }) => void lines.push(line));
    await pm.spawn(subjectFile, { isolation: 'child', execArgv: ['--import', "data:text/javascript,console.log('first')"] });
    expect(lines[0]).toBe('first');
  });

  it('is ended when the manager is shut down meanwhile', async () => {
    const pm = manager();
    const spawned = rejection(pm.spawn(subjectFile, { isolation: 'child' }));
    await pm.shutdown({ timeout: 0 });
    await spawned;
    await expect.poll(children, { timeout: 5000 }).toEqual([]);
  });
});
