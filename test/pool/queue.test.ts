// The queue: late binding, bounded, each call leaves it once: by its turn, its deadline, its signal, or the end of the pool.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { CallTimeoutError, ProcessStoppedError, QueueFullError, QueueTimeoutError } from '../../dist/index.js';
import { root } from '../helpers/compile.js';
import { codeOf, fakePool, makePool, sleep, until } from './helpers.js';

it('binds a call to a replica only when that has a free place', async () => {
  const { pool, members, remote } = await fakePool({ size: 2, concurrency: 1 });
  const calls = [1, 2, 3, 4, 5].map((n) => remote.work(n));
  await sleep(1);
  expect(pool.handle).toMatchObject({ active: 2, pending: 3 });
  members[1]!.finish();
  await sleep(1);
  members[1]!.finish();
  await sleep(1);
  members[1]!.finish();
  await sleep(1);
  // The first replica is slow: all that waited went to the other.
  expect(members[0]!.calls.map(({ args }) => args[0])).toEqual([1]);
  expect(members[1]!.calls.map(({ args }) => args[0])).toEqual([5]);
  members[0]!.finish();
  members[1]!.finish();
  await Promise.all(calls);
  expect(pool.handle).toMatchObject({ active: 0, pending: 0 });
});

it('starts calls in the order made', async () => {
  const pool = await makePool({ size: 1, concurrency: 1 });
  const order: number[] = [];
  await Promise.all(Array.from({ length: 50 }, async (_, i) => order.push((await pool.slow(i % 3, i)) as number)));
  expect(order).toEqual(Array.from({ length: 50 }, (_, i) => i));
});

it('refuses at once what is over maxQueue, with a time to come back', async () => {
  const { pool, members, remote } = await fakePool({ size: 1, concurrency: 1, maxQueue: 2 });
  const calls = Array.from({ length: 50 }, () => remote.work());
  const results = await Promise.all(calls.slice(3).map((call) => call.catch((error: unknown) => error)));
  for (const error of results) {
    expect(error).toBeInstanceOf(QueueFullError);
    expect(error).toMatchObject({ maxQueue: 2, retryAfter: expect.any(Number), code: 'QUEUE_FULL' });
    expect((error as QueueFullError).retryAfter).toBeGreaterThan(0);
  }
  expect(results).toHaveLength(47);
  for (let i = 0; i < 3; i++) {
    members[0]!.finish(i);
    await sleep(1);
  }
  await expect(Promise.all(calls.slice(0, 3))).resolves.toEqual([0, 1, 2]);
  expect((await pool.handle.metrics()).rejected).toBe(47);
});

it('maxQueue 0 takes what finds a place, and nothing more', async () => {
  const { members, remote } = await fakePool({ size: 1, concurrency: 1, maxQueue: 0 });
  const first = remote.work();
  await expect(remote.work()).rejects.toBeInstanceOf(QueueFullError);
  members[0]!.finish(1);
  await expect(first).resolves.toBe(1);
});

it('tells the time in the queue from the time of running', async () => {
  const pool = await makePool({ size: 1, concurrency: 1, queueTimeout: 80 });
  const running = pool.$with({ timeout: 250 }).slow(60_000);
  const waiting = pool.where();
  const error = await waiting.catch((e: unknown) => e);
  expect(error).toBeInstanceOf(QueueTimeoutError);
  expect((error as Error).message).toMatch(/worker\.where\(\): waited 80 ms for a free place in the pool; it never ran/);
  const late = await running.catch((e: unknown) => e);
  expect(late).toBeInstanceOf(CallTimeoutError);
  expect((late as Error).message).toMatch(/no answer within its timeout of 250 ms/);
  // A timeout is the caller's: the replica lives, and its place is free.
  await expect(pool.$with({ queueTimeout: '5s' }).add(1, 2)).resolves.toBe(3);
  expect(pool.$handle.replicas()[0]!.restarts).toBe(0);
});

it('a timeout counts from dispatch, so a long wait does not use it up', async () => {
  const pool = await makePool({ size: 1, concurrency: 1 });
  const first = pool.slow(150);
  await expect(pool.$with({ timeout: 100 }).slow(1, 'ran')).resolves.toBe('ran');
  await first;
});

it('a cancelled call leaves the queue and never runs', async () => {
  const { pool, members, remote } = await fakePool({ size: 1, concurrency: 1 });
  const first = remote.work('first');
  const controller = new AbortController();
  const cancelled = Array.from({ length: 200 }, () => remote.$with({ signal: controller.signal }).work('cancelled'));
  const last = remote.work('last');
  await sleep(1);
  expect(pool.handle.pending).toBe(201);
  const reason = new Error('changed my mind');
  controller.abort(reason);
  for (const call of cancelled) await expect(call).rejects.toBe(reason);
  expect(pool.handle.pending).toBe(1);
  members[0]!.finish(1);
  await first;
  await sleep(1);
  expect(members[0]!.calls.map(({ args }) => args[0])).toEqual(['last']);
  members[0]!.finish(2);
  await expect(last).resolves.toBe(2);
  await expect(remote.$with({ signal: AbortSignal.abort(reason) }).work()).rejects.toBe(reason);
});

it('keeps the arguments as they were when the call was made', async () => {
  const pool = await makePool({ size: 1, concurrency: 1 });
  const busy = pool.slow(30);
  const value = { list: [1, 2], when: new Date(0) };
  const bytes = new Uint8Array([1, 2, 3]);
  const moved = new Uint8Array(8);
  const told: number[] = [];
  const items = [1, 2, 3];
  const echoed = pool.echo(value);
  const copied = pool.echo(bytes);
  const transferred = pool.$with({ transfer: [moved.buffer] }).bytes(moved);
  const each = pool.each(items, (item) => told.push(item));
  value.list.push(3);
  bytes.fill(9);
  items.length = 0;
  expect(moved.byteLength).toBe(0);
  await busy;
  await expect(echoed).resolves.toEqual({ list: [1, 2], when: new Date(0) });
  await expect(copied).resolves.toEqual(new Uint8Array([1, 2, 3]));
  await expect(transferred).resolves.toBe(8);
  await expect(each).resolves.toBe(3);
  expect(told).toEqual([1, 2, 3]);
});

it('keeps nothing of a call that has had its turn', async () => {
  setFlagsFromString('--expose_gc');
  const gc = runInNewContext('gc') as () => void;
  const { members, remote } = await fakePool({ size: 1, concurrency: 1 });
  const calls = [remote.work(), remote.work({ large: true })];
  members[0]!.finish();
  await until(() => members[0]!.calls.length === 1 && members[0]!.calls[0]!.args.length === 1);
  const kept = new WeakRef(members[0]!.calls[0]!.args[0] as object);
  members[0]!.finish();
  await Promise.all(calls);
  await until(() => {
    gc();
    return kept.deref() === undefined;
  });
});

it('a method with a concurrency of its own waits in the pool, and holds up no other method', async () => {
  const pool = await makePool({ size: 2 });
  const started = performance.now();
  let done = 0;
  const alone = Array.from({ length: 4 }, () => pool.alone(400).finally(() => done++));
  await sleep(5);
  expect(pool.$handle).toMatchObject({ active: 2, pending: 2 });
  await expect(pool.add(1, 2)).resolves.toBe(3);
  expect(done).toBe(0);
  const where = await Promise.all(alone);
  expect(new Set(where).size).toBe(2);
  expect(performance.now() - started).toBeGreaterThan(790);
});

it('keys wait for their own replica, and do not hold up the keys of others', async () => {
  const pool = await makePool({ size: 2, concurrency: 1, strategy: 'consistent-hash' });
  const homes = new Map<string, string>();
  for (let i = 0; i < 20; i++) homes.set(`k${i}`, await pool.$with({ key: `k${i}` }).where());
  const [first, home] = [...homes][0]!;
  const other = [...homes].find(([, where]) => where !== home)![0];
  let done = false;
  const slow = pool.$with({ key: first }).slow(1_000).finally(() => (done = true));
  const queued = pool.$with({ key: first }).where();
  await pool.$with({ key: other }).where();
  await pool.where();
  expect(done).toBe(false);
  expect(pool.$handle.pending).toBe(1);
  await expect(queued).resolves.toBe(home);
  await slow;
  for (const [key, where] of homes) await expect(pool.$with({ key }).where()).resolves.toBe(where);
});

it('a call that streams holds its place until its stream ends', async () => {
  const pool = await makePool({ size: 1, concurrency: 1 });
  const stream = await pool.count(3);
  const waiting = pool.where();
  const big = (await pool.$with({ queueTimeout: 50 }).count(1).catch((error: { code: string }) => error.code)) as string;
  const items: number[] = [];
  for await (const item of stream) items.push(item);
  expect(items).toEqual([1, 2, 3]);
  await waiting;
  // Three small items arrive before anybody asks, so the place was free again.
  expect(big).not.toBe('QUEUE_TIMEOUT');
  const endless = (await pool.count(1_000_000)) as AsyncIterableIterator<number>;
  await endless.next();
  await expect(codeOf(pool.$with({ queueTimeout: 50 }).where())).resolves.toBe('QUEUE_TIMEOUT');
  await endless.return!();
  await expect(pool.where()).resolves.toBeTypeOf('string');
});

it('drain refuses what is new and lets run what it has accepted', async () => {
  const pool = await makePool({ size: 1, concurrency: 1 });
  const accepted = [1, 2, 3].map((n) => pool.slow(20, n));
  let drained = false;
  const drain = pool.$handle.drain().then(() => (drained = true));
  expect(pool.$handle.state).toBe('draining');
  const refused = await pool.where().catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(ProcessStoppedError);
  expect((refused as Error).message).toMatch(/the pool is draining and takes no calls/);
  await expect(Promise.all(accepted.slice(0, 2))).resolves.toEqual([1, 2]);
  expect(drained).toBe(false);
  await expect(accepted[2]).resolves.toBe(3);
  await drain;
  expect(pool.$handle).toMatchObject({ state: 'drained', active: 0, pending: 0 });
});

it('stop ends the replicas after their calls, refuses what waits, and may be called again', async () => {
  const pool = await makePool({ size: 1, concurrency: 1 });
  const running = pool.slow(80, 'done');
  const waiting = codeOf(pool.where());
  await sleep(5);
  const stopped = pool.$handle.stop();
  await expect(waiting).resolves.toBe('PROCESS_STOPPED');
  await expect(running).resolves.toBe('done');
  await stopped;
  await pool.$handle.stop();
  await expect(codeOf(pool.where())).resolves.toBe('PROCESS_STOPPED');
  await expect(pool.$handle.scale(2)).rejects.toBeInstanceOf(ProcessStoppedError);
  await expect(pool.$handle.reload()).rejects.toBeInstanceOf(ProcessStoppedError);
  expect(pool.$handle).toMatchObject({ state: 'stopped', size: 0, active: 0 });
});

it('stop during the start leaves nothing behind', async () => {
  const { pool, members } = await fakePool({ size: 1 }, {
    start: async (make) => {
      await sleep(30);
      return make();
    },
  });
  const scaled = codeOf(pool.handle.scale(3));
  await sleep(5);
  await pool.handle.stop();
  await expect(scaled).resolves.toBe('PROCESS_STOPPED');
  await until(() => members.length === 3 && members.every(({ stopped }) => stopped));
});

it('a ReadableStream holds its place like any stream, until it is read or cancelled', async () => {
  const pool = await makePool({ size: 1, concurrency: 1 });
  const endless = await pool.readable();
  const reader = endless.getReader();
  await expect(reader.read()).resolves.toEqual({ done: false, value: 1 });
  expect(pool.$handle.active).toBe(1);
  await expect(codeOf(pool.$with({ queueTimeout: 50 }).where())).resolves.toBe('QUEUE_TIMEOUT');
  await reader.cancel();
  await expect(pool.where()).resolves.toBeTypeOf('string');
  expect(pool.$handle.active).toBe(0);
});

it('calls of one line time out in their order, those with a queueTimeout of their own at their own time', async () => {
  const { pool, members, remote } = await fakePool({ size: 1, concurrency: 1, queueTimeout: 60 });
  const order: string[] = [];
  const told = (name: string, call: Promise<unknown>) => void call.then(() => order.push(`${name} ran`), (error: { code: string }) => order.push(`${name} ${error.code}`));
  told('busy', remote.work());
  told('short', remote.$with({ queueTimeout: 20 }).work());
  told('first', remote.work());
  told('patient', remote.$with({ queueTimeout: 5_000 }).work());
  await sleep(30);
  told('second', remote.work());
  await until(() => order.length === 3);
  expect(order).toEqual(['short QUEUE_TIMEOUT', 'first QUEUE_TIMEOUT', 'second QUEUE_TIMEOUT']);
  expect(pool.pending).toBe(1);
  expect(pool.rejected).toBe(3);
  members[0]!.finish();
  await until(() => members[0]!.calls.length === 1);
  members[0]!.finish();
  await until(() => order.length === 5);
  expect(order.slice(3)).toEqual(['busy ran', 'patient ran']);
  // The line is watched again when somebody comes.
  told('busy again', remote.work());
  told('late', remote.work());
  await until(() => order.length === 6);
  expect(order[5]).toBe('late QUEUE_TIMEOUT');
  members[0]!.finish();
});

it('a program whose calls have waited and are answered ends when it has nothing else to do', () => {
  const program = `
    import { createProcessManager } from 'mimas';
    const pm = createProcessManager();
    const pool = await pm.pool(${JSON.stringify(join(root, 'processes/calculator.process.ts'))}, { size: 1, concurrency: 1, isolation: 'worker', queueTimeout: 60_000 });
    const left = new AbortController();
    const calls = Array.from({ length: 20 }, (_, i) => pool.$with(i % 2 ? { signal: left.signal } : {}).add(i, 1).catch(() => 0));
    left.abort();
    await Promise.all(calls);
    await pm.shutdown();
    const done = performance.now();
    process.on('exit', () => console.log(performance.now() - done < 5_000));`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { cwd: root, encoding: 'utf8', timeout: 50_000 });
  expect([status, stdout], stderr).toEqual([0, 'true\n']);
});
