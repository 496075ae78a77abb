// What a pool does beside placing calls: reload, recycle, broadcast, metrics, events, breaker, retry; its options and its surface.
import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { CircuitOpenError, InvalidOptionError, transfer, UnknownOptionError, UnsupportedOptionError, type PoolSpawnOptions } from '../../dist/index.js';
import { FakeClock } from '../../dist/testing/index.js';
import { codeOf, fakePool, FILE, makePool, manager, sleep, until, type FakeMember, type Worker } from './helpers.js';

it.each(['worker', 'child'] as const)('%s: reload() under load loses no call and never has fewer than size replicas serving', async (isolation) => {
  const pool = await makePool({ size: 2, isolation });
  const before = new Set(await pool.$handle.broadcast('where'));
  let running = true;
  let calls = 0;
  let least = Infinity;
  const failures: unknown[] = [];
  const load = Array.from({ length: 8 }, async (_, id) => {
    for (let n = 0; running; n++) {
      const answer = await pool.slow(n % 4, `${id}:${n}`).catch((error: unknown) => failures.push(error));
      if (answer !== `${id}:${n}`) failures.push(answer);
      calls++;
      const ready = pool.$handle.replicas().filter(({ status }) => status === 'running').length;
      least = Math.min(least, ready);
    }
  });
  await Promise.all([pool.$handle.reload(), pool.$handle.reload()]);
  running = false;
  await Promise.all(load);
  expect(failures).toEqual([]);
  expect(calls).toBeGreaterThan(50);
  expect(least).toBeGreaterThanOrEqual(2);
  expect(pool.$handle.size).toBe(2);
  for (const where of await pool.$handle.broadcast('where')) expect(before.has(where)).toBe(false);
  const { requests, errors } = await pool.$handle.metrics();
  expect({ requests, errors }).toEqual({ requests: calls + 4, errors: 0 });
});

it('reload() that cannot start the new code keeps the old', async () => {
  let broken = false;
  const { pool, members } = await fakePool({ size: 2 }, {
    start: async (make) => {
      if (broken) throw new Error('syntax error');
      return make();
    },
  });
  broken = true;
  await expect(pool.handle.reload()).rejects.toThrow('syntax error');
  expect(pool.handle.replicas().map(({ id }) => id)).toEqual(members.map(({ id }) => id));
  broken = false;
  await pool.handle.reload();
  expect(members.map(({ stopped }) => stopped)).toEqual([true, true, false, false]);
});

it('a crash, a scale and a recycle in the middle of a reload end with the right size, all of them new', async () => {
  const slowly = async (make: () => FakeMember) => {
    await sleep(5);
    return make();
  };
  const { pool, members } = await fakePool({ size: 3, spares: 1 }, { start: slowly });
  await until(() => pool.handle.spares === 1);
  const old = new Set(members.map(({ id }) => id));
  const reloaded = pool.handle.reload();
  await sleep(2);
  members[1]!.become('restarting');
  const scaled = pool.handle.scale(5);
  await sleep(3);
  members[1]!.become('running');
  const again = pool.handle.scale(2);
  await Promise.all([reloaded, scaled, again]);
  await until(() => pool.handle.size === 2);
  for (const { id } of pool.handle.replicas()) expect(old.has(id)).toBe(false);
  await pool.handle.stop();
  await until(() => members.every(({ stopped }) => stopped));
});

it('recycles by calls, one at a time, the new one up before the old one goes', async () => {
  const pool = await makePool({ size: 2, recycle: { calls: 25 } });
  const recycled: string[] = [];
  let least = Infinity;
  pool.$handle.on('replica-recycled', ({ why }) => recycled.push(why));
  for (let i = 0; i < 120; i++) {
    await pool.slow(2);
    least = Math.min(least, pool.$handle.replicas().filter(({ status }) => status === 'running').length);
  }
  await until(() => recycled.length >= 2);
  expect(new Set(recycled)).toEqual(new Set(['calls']));
  expect(least).toBeGreaterThanOrEqual(2);
  expect((await pool.$handle.metrics()).methods['slow']).toMatchObject({ requests: 120, errors: 0 });
});

it('recycles by age and by memory', async () => {
  const clock = new FakeClock();
  const { pool, members } = await fakePool({ size: 2, recycle: { age: '1h', memory: '100MB' } }, { clock });
  const why: string[] = [];
  pool.handle.on('replica-recycled', (event) => why.push(`${event.slot} ${event.why}`));
  await clock.advance(3_590_000);
  expect(members).toHaveLength(2);
  members[1]!.memory = 200 * 1024 * 1024;
  await clock.advance(5_000);
  expect(why).toEqual(['1 memory']);
  await clock.advance(10_000);
  expect(why).toEqual(['1 memory', '0 age']);
  expect(pool.handle.size).toBe(2);
});

it('broadcast reaches every replica, in the order of places', async () => {
  const pool = await makePool({ size: 3 });
  const set = (await pool.$handle.broadcast('set', 7)) as string[];
  expect(new Set(set).size).toBe(3);
  await expect(pool.$handle.broadcast('value')).resolves.toEqual([7, 7, 7]);
  await expect(codeOf(pool.$handle.broadcast('valu'))).resolves.toBe('METHOD_NOT_FOUND');
  await expect(codeOf(pool.$handle.broadcast('fail', 'x'))).resolves.toBe('NOPE');
});

it('metrics add up over live and replaced replicas', async () => {
  const pool = await makePool({ size: 2 });
  for (let i = 0; i < 10; i++) await pool.add(i, i);
  await Promise.all([codeOf(pool.fail('a')), codeOf(pool.fail('b')), pool.slow(5)]);
  await pool.$handle.reload();
  for (let i = 0; i < 5; i++) await pool.add(i, i);
  const metrics = await pool.$handle.metrics();
  expect(metrics).toMatchObject({ size: 2, active: 0, queued: 0, rejected: 0, requests: 18, errors: 2 });
  expect(Object.fromEntries(Object.entries(metrics.methods).map(([name, { requests, errors }]) => [name, [requests, errors]]))).toEqual({ add: [15, 0], fail: [2, 2], slow: [1, 0] });
  expect(metrics.replicas.reduce((sum, { requests }) => sum + requests, 0)).toBe(5);
  expect(metrics.memory).toBe(metrics.replicas.reduce((sum, { memory }) => sum + memory, 0));
  expect(metrics.latency.p99).toBeGreaterThanOrEqual(metrics.latency.p50);
});

it('the breaker opens after failures in a row, refuses at once, lets a few try, and closes', async () => {
  const clock = new FakeClock();
  const { pool, members, remote } = await fakePool({ size: 1, breaker: { threshold: 3, timeout: '10s', halfOpen: 2 } }, { clock });
  const states: string[] = [];
  pool.handle.on('breaker', ({ state }) => states.push(state));
  const fail = async () => {
    const call = remote.work();
    await sleep(0);
    members[0]!.calls.shift()!.reject(new Error('down'));
    await expect(call).rejects.toThrow('down');
  };
  const succeed = async () => {
    const call = remote.work();
    await sleep(0);
    members[0]!.finish('ok');
    await expect(call).resolves.toBe('ok');
  };
  await fail();
  await fail();
  await succeed();
  await fail();
  await fail();
  expect(pool.handle.breaker).toBe('closed');
  await fail();
  expect(pool.handle.breaker).toBe('open');
  await clock.advance(4_000);
  const refused = await remote.work().catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(CircuitOpenError);
  expect(refused).toMatchObject({ retryAfter: 6_000, code: 'CIRCUIT_OPEN' });
  await clock.advance(6_000);
  // Two may try; one of them is cancelled, so another has its turn.
  const controller = new AbortController();
  const cancelled = remote.$with({ signal: controller.signal }).work();
  const first = remote.work();
  await expect(codeOf(remote.work())).resolves.toBe('CIRCUIT_OPEN');
  await expect(codeOf(remote.work())).resolves.toBe('CIRCUIT_OPEN');
  controller.abort(new Error('no'));
  members[0]!.calls.shift()!.reject(controller.signal.reason);
  await expect(cancelled).rejects.toThrow('no');
  members[0]!.finish(1);
  await first;
  expect(pool.handle.breaker).toBe('half-open');
  await succeed();
  expect(pool.handle.breaker).toBe('closed');
  expect(states).toEqual(['open', 'half-open', 'closed']);
  expect((await pool.handle.metrics()).rejected).toBe(3);
});

it('what is wrong with the call itself does not open the breaker', async () => {
  const pool = await makePool({ size: 1, breaker: { threshold: 2 } });
  for (let i = 0; i < 5; i++) await expect(codeOf(pool.echo(Symbol('x')))).resolves.toBe('NOT_CLONEABLE');
  expect(pool.$handle.breaker).toBe('closed');
});

it('retry runs idempotent calls again, others once, and gives up in the end', async () => {
  const { members, remote } = await fakePool({ size: 1, retry: { attempts: 3, backoff: 1 } });
  const answer = (error?: Error) => until(() => members[0]!.calls.length > 0).then(() => (error ? members[0]!.calls.shift()!.reject(error) : members[0]!.finish('done')));
  const retried = remote.$with({ idempotent: true }).work();
  await answer(new Error('one'));
  await answer(new Error('two'));
  await answer();
  await expect(retried).resolves.toBe('done');
  const hopeless = remote.$with({ idempotent: true }).work().catch((error: Error) => error.message);
  for (const message of ['one', 'two', 'three']) await answer(new Error(message));
  await expect(hopeless).resolves.toBe('three');
  const once = remote.work().catch((error: Error) => error.message);
  await answer(new Error('only'));
  await expect(once).resolves.toBe('only');
});

it('a drain waits for calls between two attempts; an abort ends the wait', async () => {
  const { pool, members, remote } = await fakePool({ size: 1, retry: { attempts: 3, backoff: 60 } });
  const first = remote.$with({ idempotent: true }).work();
  members[0]!.calls.shift()!.reject(new Error('one'));
  await sleep(5);
  const drained = pool.handle.drain();
  await until(() => members[0]!.calls.length === 1);
  expect(pool.handle.state).toBe('draining');
  members[0]!.finish('second time');
  await expect(first).resolves.toBe('second time');
  await drained;
});

it.each<[PoolSpawnOptions & Record<string, unknown>, new (...args: never[]) => Error, RegExp]>([
  [{ recycleAfter: 5 }, UnknownOptionError, /^pool: unknown option 'recycleAfter'; write recycle: \{ calls \}$/],
  [{ requestTimeout: 5 }, UnknownOptionError, /^pool: unknown option 'requestTimeout'; write resources: \{ timeout \} for how long a call may run; queueTimeout is how long it may wait for a replica$/],
  [{ maxQueueSize: 5 }, UnknownOptionError, /^pool: unknown option 'maxQueueSize'; write maxQueue$/],
  [{ breaker: { halfOpenRequests: 3 } as never }, UnknownOptionError, /^breaker: unknown option 'halfOpenRequests'; write halfOpen$/],
  [{ strategy: 'least-connections' as never }, InvalidOptionError, /^strategy: "least-connections" is not one of round-robin, .*, and no function; write 'least-loaded': it counts the calls in flight$/],
  [{ strategy: 'round-robbin' as never }, InvalidOptionError, /; did you mean 'round-robin'\?$/],
  [{ stratgy: 'random' }, UnknownOptionError, /pool: unknown option 'stratgy'; did you mean 'strategy'\?/],
  [{ size: -1 }, InvalidOptionError, /size: -1 is not a whole number/],
  [{ size: Infinity }, InvalidOptionError, /size: .* is not a whole number/],
  [{ size: { min: 3, max: 2 } }, InvalidOptionError, /size.max: 2 is not a whole number of at least 3/],
  [{ size: { min: 1, max: 2, mx: 3 } as never }, UnknownOptionError, /size: unknown option 'mx'/],
  [{ size: 'many' as never }, InvalidOptionError, /size: "many" is not a number, 'auto' or/],
  [{ concurrency: 0 }, InvalidOptionError, /concurrency: 0/],
  [{ maxQueue: 1.5 }, InvalidOptionError, /maxQueue: 1.5/],
  [{ queueTimeout: 'soon' }, InvalidOptionError, /queueTimeout: "soon" is not a duration/],
  [{ recycle: { call: 5 } as never }, UnknownOptionError, /recycle: unknown option 'call'; did you mean 'calls'\?/],
  [{ breaker: { treshold: 5 } as never }, UnknownOptionError, /did you mean 'threshold'\?/],
  [{ retry: { attempts: 0 } }, InvalidOptionError, /retry.attempts: 0/],
  [{ breaker: 5 as never }, InvalidOptionError, /breaker: 5 is not an object of options/],
  [{ retry: 3 as never }, InvalidOptionError, /retry: 3 is not an object of options/],
  [{ recycle: true as never }, InvalidOptionError, /recycle: true is not an object of options/],
  [{ weights: [1, 2] }, UnsupportedOptionError, /weights have no meaning for strategy 'least-loaded'/],
  [{ strategy: 'weighted', weights: [1, 0] }, InvalidOptionError, /weights: \[1,0\] is not a list of numbers above 0/],
  [{ workload: 'gpu' as never }, InvalidOptionError, /workload: "gpu" is not 'io' or 'cpu'/],
  [{ isolation: 'none', env: {} }, UnsupportedOptionError, /env cannot work with isolation 'none'/],
])('refuses %j', async (options, type, message) => {
  const pm = manager();
  const error = await pm.pool(FILE, options).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(type);
  expect((error as Error).message).toMatch(message);
  expect(pm.listProcesses()).toEqual([]);
});

it('is called like an object', async () => {
  const pool = await makePool({ size: 2 });
  await expect(pool['add'](1, 2)).resolves.toBe(3);
  expect((pool as { then?: unknown }).then).toBeUndefined();
  expect(await Promise.resolve(pool)).toBe(pool);
  expect('add' in pool).toBe(true);
  expect('nope' in pool).toBe(false);
  expect(pool.__processId).toBe(pool.$handle.id);
  expect(inspect(pool)).toMatch(/^Remote<worker> \{ id: 'pool-/);
  const { add } = pool;
  await expect(add(3, 4)).resolves.toBe(7);
  expect((pool as never as { ad?: unknown }).ad).toBeUndefined();
  await expect((pool as never as { unlisted(): Promise<void> }).unlisted()).rejects.toThrow(/worker\.unlisted\(\) is not public: decorate it with @Public\(\)/);
  expect(() => ((pool as { x?: number }).x = 1)).toThrow(TypeError);
});

it('stacks of errors show both sides', async () => {
  const pool = await makePool({ size: 1 });
  let stack = '';
  try {
    await pool.fail('no');
  } catch (error) {
    stack = (error as Error).stack!;
  }
  expect(stack).toMatch(/worker\.process[^]*--- worker \(worker\) ---[^]*pool\.test/);
});

it('weights reach the replicas', async () => {
  const pool = await makePool({ size: 2, strategy: 'weighted', weights: [3, 1] });
  for (let i = 0; i < 40; i++) await pool.where();
  expect(pool.$handle.replicas().map(({ calls }) => calls)).toEqual([30, 10]);
});

it("the manager's queueTimeout holds for its pools", async () => {
  const pool = await manager({ queueTimeout: 40 }).pool<Worker>(FILE, { size: 1, concurrency: 1 });
  const busy = pool.slow(1_500);
  await expect(codeOf(pool.where())).resolves.toBe('QUEUE_TIMEOUT');
  await busy;
});

it.each((['none', 'worker', 'child'] as const).flatMap((isolation) => (['ipc', 'unix', 'tcp', 'ws'] as const).map((transport) => [isolation, transport] as const)))('%s over %s: values, errors, streams, callbacks, transfer, timeout, abort, reload', async (isolation, transport) => {
  const pool = await makePool({ size: 2, isolation, transport });
  const map = new Map([[1, { at: new Date(3) }]]);
  await expect(pool.echo(map)).resolves.toEqual(map);
  await expect(pool.fail('no')).rejects.toMatchObject({ name: 'RangeError', message: 'no', code: 'NOPE' });
  const items: number[] = [];
  for await (const item of pool.count(3)) items.push(item);
  expect(items).toEqual([1, 2, 3]);
  const told: number[] = [];
  await expect(pool.each([1, 2], (item) => told.push(item))).resolves.toBe(2);
  expect(told).toEqual([1, 2]);
  const bytes = transfer(new Uint8Array(100));
  await expect(pool.bytes(bytes)).resolves.toBe(100);
  await expect(codeOf(pool.$with({ timeout: 20 }).slow(2_000))).resolves.toBe('CALL_TIMEOUT');
  const reason = new Error('enough');
  await expect(pool.$with({ signal: AbortSignal.any([AbortSignal.timeout(5_000), abortSoon(reason)]) }).untilAborted()).rejects.toBe(reason);
  await pool.$handle.reload();
  await expect(pool.add(1, 2)).resolves.toBe(3);
  await expect(pool.$handle.health()).resolves.toMatchObject({ status: 'healthy' });
});

function abortSoon(reason: Error): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 10);
  return controller.signal;
}
