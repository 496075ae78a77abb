// CPU pools on Piscina: one call a thread, what is given up ends its thread only, and everything else is as in any pool.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { CallTimeoutError, MemoryLimitError, NotCloneableError, ProcessCrashedError, UnsupportedOptionError, type PoolSpawnOptions } from '../../dist/index.js';
import { codeOf, counts, FILE, makePool, manager, sleep, SOURCE, until, type Worker } from './helpers.js';

const cpuPool = (options: PoolSpawnOptions = {}, file: string | URL = FILE) => makePool({ workload: 'cpu', ...options }, file);
const whole = (pool: Awaited<ReturnType<typeof makePool>>) => until(() => pool.$handle.replicas().every(({ status }) => status === 'running'));

it('runs a TypeScript process file, one call a thread at a time, bound late', async () => {
  const pool = await cpuPool({ size: 3, strategy: 'least-loaded' }, SOURCE);
  const where = await Promise.all(Array.from({ length: 12 }, () => pool.slow(30)));
  expect(counts(where)).toEqual([4, 4, 4]);
  expect(where.every((id) => String(id).startsWith(`${process.pid}:`) && !String(id).endsWith(':0'))).toBe(true);
  let done = false;
  const long = pool.slow(1_500).finally(() => (done = true));
  await Promise.all(Array.from({ length: 10 }, () => pool.slow(10)));
  // Nobody waited behind the long one.
  expect(done).toBe(false);
  await long;
});

it('values, errors and context are the same as everywhere', async () => {
  const pool = await cpuPool({ size: 1 });
  const value = { map: new Map([[1, new Set(['a'])]]), date: new Date(5), big: 10n, re: /x/g, minus: -0, nothing: undefined, bytes: new Uint8Array([1, 2]), buffer: Buffer.from('ä'), large: Buffer.alloc(9_000, 1) };
  const cyclic: { self?: unknown; error: Error } = { error: new TypeError('inner', { cause: new RangeError('root') }) };
  cyclic.self = cyclic;
  // Strictly: a Buffer is one, and a Uint8Array is none.
  await expect(pool.echo(value)).resolves.toStrictEqual(value);
  await expect(pool.echo(Buffer.from('ä'))).resolves.toStrictEqual(Buffer.from('ä'));
  const back = (await pool.echo(cyclic)) as typeof cyclic;
  expect(back.self).toBe(back);
  expect(back.error).toBeInstanceOf(TypeError);
  expect(back.error.cause).toBeInstanceOf(RangeError);
  await expect(pool.echo(undefined)).resolves.toBeUndefined();
  await expect(pool.echo(null)).resolves.toBeNull();
  let error: unknown;
  try {
    await pool.fail('no');
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(RangeError);
  expect(error).toMatchObject({ message: 'no', code: 'NOPE' });
  expect((error as Error).stack).toMatch(/worker\.process/);
  expect((error as Error).stack).toMatch(/cpu\.test/);
  await expect(pool.$with({ headers: { tenant: 'a' } }).header('tenant')).resolves.toBe('a');
  const moved = new Uint8Array(1_000);
  await expect(pool.$with({ transfer: [moved.buffer] }).bytes(moved)).resolves.toBe(1_000);
  expect(moved.byteLength).toBe(0);
  await expect(codeOf((pool as never as Record<string, () => Promise<unknown>>)['unlisted']!())).resolves.toBe('METHOD_NOT_FOUND');
});

it('functions, streams and uncloneable values are refused with their path and the way out', async () => {
  const pool = await cpuPool({ size: 1 });
  const refused = [pool.echo({ on: () => 1 }), pool.each([1], () => 1), pool.echo({ gen: (function* () {})() }), pool.count(3), pool.echo({ db: new WeakMap() })];
  const errors = (await Promise.all(refused.map((call) => (call as Promise<unknown>).catch((error: unknown) => error)))) as NotCloneableError[];
  for (const error of errors) expect(error).toBeInstanceOf(NotCloneableError);
  expect(errors.map(({ path }) => path)).toEqual(['args[0].on', 'args[1]', 'args[0].gen', 'result', 'args[0].db']);
  expect(errors[0]!.message).toMatch(/^worker\.echo\(\): args\[0\]\.on cannot be sent \(a function\): a pool with workload 'cpu' passes data only.*use workload 'io'/);
  await expect(pool.add(1, 2)).resolves.toBe(3);
  expect(pool.$handle.replicas()[0]!.restarts).toBe(0);
});

it('what cannot be sent fails that call alone: its place is free again, its thread lives', async () => {
  const pool = await cpuPool({ size: 1 });
  const { threadId } = pool.$handle.replicas()[0]!;
  const getter = {
    get x() {
      throw new TypeError('thrown by a getter');
    },
  };
  await expect(pool.echo(getter)).rejects.toThrow('thrown by a getter');
  await expect(codeOf(pool.$with({ timeout: 'soon' }).echo(1))).resolves.toBe('INVALID_OPTION');
  await expect(codeOf(pool.$with({ transfer: [new Map()] as never }).echo(1))).resolves.toBe('NOT_CLONEABLE');
  await expect(pool.add(1, 2)).resolves.toBe(3);
  expect(pool.$handle.replicas()).toMatchObject([{ threadId, active: 0, restarts: 0 }]);
});

it('a timeout or an abort ends that thread only, at once, and counts against nobody', async () => {
  const pool = await cpuPool({ size: 2, restartPolicy: { maxRestarts: 1 } });
  for (let i = 0; i < 3; i++) {
    const other = pool.slow(200, 'other');
    const reason = new Error('enough');
    const controller = new AbortController();
    const spinning = i % 2 === 0 ? pool.$with({ timeout: 60 }).spin(60_000) : pool.$with({ signal: controller.signal }).spin(60_000);
    const started = performance.now();
    setTimeout(() => controller.abort(reason), 60);
    const error = await spinning.catch((e: unknown) => e);
    expect(performance.now() - started).toBeLessThan(5_000);
    if (i % 2 === 0) expect(error).toBeInstanceOf(CallTimeoutError);
    else expect(error).toBe(reason);
    await expect(other).resolves.toBe('other');
    await whole(pool);
  }
  expect(pool.$handle.replicas().reduce((sum, { restarts }) => sum + restarts, 0)).toBe(3);
  await expect(pool.$handle.health()).resolves.toMatchObject({ status: 'healthy' });
});

it('a thread that dies: its call fails, idempotent ones run elsewhere, waiting ones run, it is replaced', async () => {
  const pool = await cpuPool({ size: 2 });
  const crash = pool.exit(7).catch((error: unknown) => error);
  const again = pool.exitFirst(new Int32Array(new SharedArrayBuffer(4)));
  const waiting = Array.from({ length: 6 }, (_, i) => pool.slow(5, i));
  const error = await crash;
  expect(error).toBeInstanceOf(ProcessCrashedError);
  expect(error).toMatchObject({ exitCode: 7, maybeExecuted: true, method: 'exit' });
  await expect(again).resolves.toBe(2);
  await expect(Promise.all(waiting)).resolves.toEqual([0, 1, 2, 3, 4, 5]);
  await whole(pool);
  const [first] = pool.$handle.replicas();
  expect(first!.threadId).toBeGreaterThan(0);
});

it('memory limits, environment and arguments reach the threads', async () => {
  const pool = await cpuPool({ size: 1, resources: { maxMemory: '24MB' }, env: { COLOUR: 'blue' }, argv: ['--x'] }, new URL('../fixtures/pool/surroundings.process.ts', import.meta.url));
  const surroundings = pool as never as { env(name: string): Promise<string>; argv(): Promise<string[]>; devour(): Promise<void> };
  await expect(surroundings.env('COLOUR')).resolves.toBe('blue');
  await expect(surroundings.argv()).resolves.toEqual(['--x']);
  const error = await surroundings.devour().catch((e: unknown) => e);
  expect(error).toBeInstanceOf(MemoryLimitError);
  await whole(pool);
  await expect(surroundings.env('COLOUR')).resolves.toBe('blue');
});

it('init gets the dependencies once a thread, timers turn between calls, shutdown hooks run', async () => {
  const file = new URL('../fixtures/pool/surroundings.process.ts', import.meta.url);
  const pm = manager();
  const told = new Int32Array(new SharedArrayBuffer(12));
  const pool = await pm.pool<{ ticks(): number; inits(): number }>(file, { size: 2, workload: 'cpu', dependencies: { told } });
  await sleep(60);
  expect(await pool.ticks()).toBeGreaterThan(2);
  expect(told[0]).toBe(2);
  const health = await pool.$handle.health();
  expect(health).toMatchObject({ status: 'healthy' });
  expect(health.checks.map(({ name }) => name)).toEqual(['replicas', '0.health', '1.health']);
  await pool.$handle.stop();
  expect(told[1]).toBe(2);
});

it('a busy thread is healthy: it says what it does', async () => {
  const pool = await cpuPool({ size: 1 });
  const spinning = pool.spin(400);
  await sleep(20);
  const health = await pool.$handle.health();
  expect(health.status).toBe('healthy');
  expect(health.checks[1]).toMatchObject({ name: '0.busy', status: 'pass', message: expect.stringMatching(/^runs spin\(\) for \d+ ms$/) });
  await spinning;
});

it('starts that fail say how far they came', async () => {
  const pm = manager();
  await expect(codeOf(pm.pool('/nowhere.js', { workload: 'cpu' }))).resolves.toBe('PROCESS_START_FAILED');
  const file = new URL('../fixtures/pool/surroundings.process.ts', import.meta.url);
  const start = (fault: string, more: PoolSpawnOptions = {}) => pm.pool(file, { size: 2, workload: 'cpu', dependencies: { fault }, ...more }).catch((error: unknown) => error);
  await expect(start('throw')).resolves.toMatchObject({ code: 'INIT_FAILED', phase: 'init', cause: expect.objectContaining({ message: 'init fault' }) });
  await expect(start('exit')).resolves.toMatchObject({ code: 'PROCESS_START_FAILED', phase: 'init' });
  await expect(start('hang', { startupTimeout: 8_000 })).resolves.toMatchObject({ code: 'PROCESS_START_FAILED', phase: 'init', message: expect.stringMatching(/hangs in phase 'init'/) });
  await expect(start('', { execArgv: ['--no-such-flag'] })).resolves.toMatchObject({ code: 'INVALID_OPTION' });
});

it.each<[string, PoolSpawnOptions]>([
  ['isolation', { isolation: 'child' }],
  ['transport', { transport: 'tcp' }],
  ['concurrency', { concurrency: 4 }],
  ['maxFrame', { maxFrame: '1MB' }],
  ['stuckTimeout', { stuckTimeout: 100 }],
  ['latency', { latency: 'low' }],
  ['output', { output: 'capture' }],
  ['outputOverflow', { outputOverflow: 'drop' }],
  ['version', { version: '2' }],
  ['resources.maxCpu', { resources: { maxCpu: 50 } }],
  ['cwd', { cwd: '/tmp' }],
])('refuses %s by name', async (option, options) => {
  const error = await manager().pool(FILE, { workload: 'cpu', ...options }).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(UnsupportedOptionError);
  expect(error).toMatchObject({ option });
});

it('queue, scaling, recycling, reload, broadcast, metrics and events are those of any pool', async () => {
  const pool = await cpuPool({ size: 2, maxQueue: 3, recycle: { calls: 10 } });
  const events: string[] = [];
  for (const event of ['replica-recycled', 'replica-stopped', 'reloaded', 'scaled'] as const) pool.$handle.on(event, () => events.push(event));
  const many = await Promise.all(Array.from({ length: 8 }, () => codeOf(pool.slow(30))));
  expect(many.filter((code) => code === 'QUEUE_FULL')).toHaveLength(3);
  await expect(pool.$handle.broadcast('set', 5)).resolves.toHaveLength(2);
  await expect(pool.$handle.broadcast('value')).resolves.toEqual([5, 5]);
  for (let i = 0; i < 10; i++) await pool.add(1, i);
  await until(() => events.includes('replica-recycled'));
  let failed = 0;
  let running = true;
  const load = (async () => {
    while (running) await pool.add(1, 2).catch(() => failed++);
  })();
  await pool.$handle.reload();
  running = false;
  await load;
  expect(failed).toBe(0);
  await pool.$handle.scale(3);
  expect(events).toEqual(expect.arrayContaining(['reloaded', 'scaled', 'replica-stopped']));
  await expect(pool.$handle.broadcast('value')).resolves.toEqual([0, 0, 0]);
  const metrics = await pool.$handle.metrics();
  expect(metrics.rejected).toBe(3);
  expect(metrics.methods['slow']).toMatchObject({ requests: 5, errors: 0 });
  expect(metrics.methods['value']).toMatchObject({ requests: 5 });
  expect(metrics.memory).toBeGreaterThan(1_000_000);
});

it('Piscina is loaded by CPU pools only', async () => {
  const script = join(dirname(FILE), 'lazy.mjs');
  writeFileSync(script, `import { createProcessManager } from 'mimas';
    import { createRequire } from 'node:module';
    const loaded = () => Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes('piscina'));
    const pm = createProcessManager();
    const pool = await pm.pool(${JSON.stringify(FILE)}, { size: 1 });
    const before = [await pool.add(1, 2), loaded()];
    await pm.pool(${JSON.stringify(FILE)}, { size: 1, workload: 'cpu' });
    console.log(JSON.stringify([...before, loaded()]));
    await pm.shutdown();`);
  expect(JSON.parse(execFileSync(process.execPath, [script], { encoding: 'utf8' }))).toEqual([3, false, true]);
});

it('shutdown leaves no thread', async () => {
  const pm = manager();
  const pool = await pm.pool<Worker>(FILE, { size: 2, workload: 'cpu', spares: 1 });
  const running = codeOf(pool.spin(60_000));
  await sleep(20);
  await pm.shutdown({ timeout: 100 });
  await expect(running).resolves.toBe('PROCESS_STOPPED');
  await expect(codeOf(pool.add(1, 2))).resolves.toBe('PROCESS_STOPPED');
});

it('its threads are listed, measured and heard like processes; control stays with the pool', async () => {
  const pm = manager();
  const heard: { id: string; stream: string; line: string }[] = [];
  pm.on('log', (detail) => void heard.push(detail));
  const pool = await pm.pool<Worker>(FILE, { size: 2, workload: 'cpu', spares: 1 });
  await until(() => pool.$handle.spares === 1);
  const listed = pm.listProcesses();
  expect(listed).toHaveLength(3);
  const { id, threadId } = pool.$handle.replicas()[0]!;
  const info = pm.getProcess(id)!;
  expect(info).toMatchObject({ id, name: 'worker', version: '1.0.0', file: FILE, status: 'running', isolation: 'worker', transport: 'ipc', pid: process.pid, threadId, restarts: 0 });
  expect(Math.abs(Date.now() - info.startTime!.getTime())).toBeLessThan(60_000);
  await pool.add(1, 2);
  await expect(pm.getMetrics(id)).resolves.toMatchObject({ requests: 1, errors: 0 });
  await expect(pm.getHealth(id)).resolves.toMatchObject({ status: 'healthy' });
  expect((await pm.metricsJson()).processes.map((process) => process.id).sort()).toEqual(listed.map((process) => process.id).sort());
  await expect(pm.prometheus()).resolves.toContain(`process_id="${id}"`);
  expect(() => pm.getHandle(id)).toThrow(/a thread of a CPU pool: it is controlled by its pool's \$handle/);
  await pool.print('to the log');
  await until(() => heard.some(({ line }) => line === 'to the log'));
  expect(heard.find(({ line }) => line === 'to the log')).toMatchObject({ id, stream: 'stdout' });
  await pool.$handle.stop();
  expect(pm.listProcesses()).toEqual([]);
});

it('a thread that throws outside of a call takes none any more: calls made while it ends wait, and no thread is started in vain', async () => {
  const pool = await cpuPool({ size: 1, restartPolicy: { maxRestarts: 20, backoff: { initial: 1 } } });
  const only = () => pool.$handle.replicas()[0]!;
  const began = only().threadId!;
  let lost = 0;
  for (let round = 0; round < 3; round++) {
    await pool.throwLater(50);
    const calls: Promise<unknown>[] = [];
    // One call at each turn of the loop: some of them come between the error and the end of the thread.
    while (only().restarts === round) {
      await new Promise(setImmediate);
      if (pool.$handle.active + pool.$handle.pending > 0) continue;
      calls.push(pool.add(1, 2).then((sum) => expect(sum).toBe(3), (error: unknown) => {
        expect(error).toBeInstanceOf(ProcessCrashedError);
        lost++;
      }));
    }
    await Promise.all(calls);
  }
  // At the most the one that ran.
  expect(lost).toBeLessThanOrEqual(3);
  // Threads are numbered as they start.
  expect(only().threadId).toBe(began + 3);
});
