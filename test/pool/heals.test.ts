// A pool heals for good: whatever ends its replicas, however often, it never gives up by itself, and says how it stands meanwhile.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RestartsExhaustedError, type PoolSpawnOptions, type RemotePool } from '../../dist/index.js';
import { FakeClock } from '../../dist/testing/fake-clock.js';
import { temporaryProject } from '../helpers/compile.js';
import type Poisonous from '../fixtures/pool/poisonous.process.js';
import { codeOf, fakePool, type FakeMember, manager, sleep, until } from './helpers.js';

const SOURCE = new URL('../fixtures/pool/poisonous.process.ts', import.meta.url);
/** Others share this machine. */
const LONG = 60_000;

type Pool = RemotePool<Poisonous>;
const makePool = (options: PoolSpawnOptions, pm = manager()): Promise<Pool> => pm.pool<Poisonous>(SOURCE, { restartPolicy: { backoff: { initial: 5, max: 50 } }, ...options });
const restarts = (pool: Pool) => pool.$handle.replicas().reduce((sum, replica) => sum + replica.restarts, 0);
const up = (pool: Pool) => pool.$handle.replicas().filter(({ status }) => status === 'running');
const whole = (pool: Pool, size: number) => until(() => up(pool).length === size, LONG);
const kinds = [{ isolation: 'worker', workload: 'io' }, { isolation: 'child', workload: 'io' }, { isolation: 'worker', workload: 'cpu' }] as const;

it('kill -9 of one replica again and again, under load and within the default breaker: it is brought up each time', async () => {
  const pool = await makePool({ size: 3, isolation: 'child', restartPolicy: { maxRestarts: 1_000, backoff: { initial: 5 } } });
  let over = false;
  const seen = new Set<string>();
  const load = Array.from({ length: 8 }, async (_, caller) => {
    for (let n = 0; !over; n++) await pool.slow(2, caller * 1e6 + n).then((value) => value !== caller * 1e6 + n && seen.add(`wrong ${value}`), (error: { code?: string }) => seen.add(error.code!));
  });
  for (let round = 0; round < 8; round++) {
    await until(() => pool.$handle.replicas()[1]?.status === 'running' && restarts(pool) === round, LONG);
    process.kill(pool.$handle.replicas()[1]!.pid!, 'SIGKILL');
  }
  await until(() => restarts(pool) === 8, LONG);
  await whole(pool, 3);
  over = true;
  await Promise.all(load);
  expect([...seen]).toEqual(['PROCESS_CRASHED']);
  expect(await pool.$handle.health()).toMatchObject({ status: 'healthy' });
}, LONG * 2);

it('good calls among some that exit, hang and take all memory: no call is refused, answered wrongly or run twice, and the pool is whole at the end', async () => {
  const pool = await makePool({ size: 2, workload: 'cpu', resources: { maxMemory: '24MB' }, restartPolicy: { maxRestarts: 1e6, backoff: { initial: 5, max: 50 } } });
  const GOOD = 120;
  const runs = new Int32Array(new SharedArrayBuffer(GOOD * 4));
  const bad = [() => pool.exit(), () => pool.$with({ timeout: 50 }).hang(), () => pool.hog()];
  const codes: unknown[] = [];
  let next = 0;
  await Promise.all(Array.from({ length: 6 }, async () => {
    for (let n = next++; n < GOOD; n = next++) {
      if (n % 8 === 5) codes.push(await codeOf(bad[(n >> 3) % 3]!()));
      expect(await pool.count(runs, n)).toBe(1);
    }
  }));
  expect([...runs]).toEqual(Array.from({ length: GOOD }, () => 1));
  expect(codes).toHaveLength(15);
  expect(new Set(codes)).toEqual(new Set(['PROCESS_CRASHED', 'CALL_TIMEOUT', 'MEMORY_LIMIT']));
  await whole(pool, 2);
  const { methods } = await pool.$handle.metrics();
  expect([methods['exit']!.deaths, methods['hang']!.deaths, methods['hog']!.deaths, methods['count']!.deaths]).toEqual([5, 5, 5, 0]);
}, LONG * 2);

describe.each(kinds)('$isolation, $workload', (kind) => {
  it('five calls that exit, within the default limits, take the pool from nobody', async () => {
    const pool = await makePool({ size: 1, ...kind });
    for (let i = 0; i < 5; i++) expect(await codeOf(pool.exit())).toBe('PROCESS_CRASHED');
    expect(await pool.echo(1)).toBe(1);
    expect(restarts(pool)).toBe(5);
  }, LONG);

  it('one place rests when its limit is met: health, events and metrics say why, the rest serves, and it is back by itself', async () => {
    const pool = await makePool({ size: 2, ...kind, restartPolicy: { maxRestarts: 1, backoff: { initial: 1_500, max: 1_500, jitter: 0 } } });
    const failed: { slot: number; error: Error; limit?: string; retryAfter?: number }[] = [];
    const died: { slot: number; methods: readonly string[] }[] = [];
    pool.$handle.on('replica-failed', (event) => failed.push(event));
    pool.$handle.on('replica-died', (event) => died.push(event));
    // Until one place has died twice.
    while (failed.length === 0) {
      await codeOf(pool.exit());
      await until(() => failed.length > 0 || up(pool).length > 0, LONG);
    }
    await until(() => up(pool).length === 1, LONG);
    expect(failed[0]).toMatchObject({ limit: 'maxRestarts', error: { code: 'RESTARTS_EXHAUSTED', limit: 'maxRestarts' } });
    expect(failed[0]!.retryAfter).toBeGreaterThan(0);
    expect(died.every(({ methods }) => methods.length === 1 && methods[0] === 'exit')).toBe(true);
    const health = await pool.$handle.health();
    if (failed.length === 1 && up(pool).length === 1) {
      expect(health.status).toBe('degraded');
      expect(health.checks[0]!.message).toMatch(/^1 of 2 replicas are ready; 1 rests: 1 restarts within 60000 ms are used up \(maxRestarts\); it is tried again in \d+ ms; last: poisonous: the (process|thread) died: it exited with code 3/);
    }
    expect(await pool.echo(1)).toBe(1);
    await whole(pool, 2);
    expect(await pool.$handle.health()).toMatchObject({ status: 'healthy' });
    expect((await pool.$handle.metrics()).methods['exit']!.deaths).toBe(died.length);
  }, LONG);

  it('no place is left: calls are refused with the time of the next try, those that wait too, and from then on they are answered', async () => {
    const pool = await makePool({ size: 1, ...kind, restartPolicy: { maxRestarts: 1, backoff: { initial: 1_200, max: 1_200, jitter: 0 } } });
    await codeOf(pool.exit());
    const deaths = pool.exit().catch((error: unknown) => error);
    const waiting = Array.from({ length: kind.workload === 'cpu' ? 1 : 0 }, () => pool.echo(1).catch((error: unknown) => error));
    await deaths;
    await until(async () => (await pool.$handle.health()).checks[0]!.message!.includes('rests'), LONG);
    const refused = (await pool.echo(1).catch((error: unknown) => error)) as RestartsExhaustedError;
    for (const error of [refused, ...(await Promise.all(waiting))] as RestartsExhaustedError[]) {
      expect(error).toBeInstanceOf(RestartsExhaustedError);
      expect(error).toMatchObject({ limit: 'maxRestarts', maybeExecuted: false, process: 'poisonous' });
      expect(error.message).toMatch(/^poisonous\.echo\(\): no replica of the pool is left: 1 restarts within 60000 ms are used up \(maxRestarts\); it is tried again in \d+ ms; last: .*exited with code 3/s);
      expect(error.retryAfter).toBeGreaterThan(0);
      expect(error.retryAfter).toBeLessThanOrEqual(1_200);
    }
    expect(await pool.$handle.health()).toMatchObject({ status: 'unhealthy', checks: [{ name: 'replicas', status: 'fail', details: { resting: 1 } }, expect.anything()] });
    // Whoever comes back when he was told to is answered, after as many tries as the machine is slow.
    let answer: unknown = refused;
    while (answer instanceof RestartsExhaustedError) {
      await sleep(answer.retryAfter!);
      answer = await pool.echo(7).catch((error: unknown) => error);
    }
    expect(answer).toBe(7);
    expect(await pool.$handle.health()).toMatchObject({ status: 'healthy' });
  }, LONG);

  it('starts that fail in a row let it rest, too, and it comes up when its fault is mended', async () => {
    const broken = join(temporaryProject(), 'broken');
    const pool = await makePool({ size: 1, ...kind, dependencies: { broken }, restartPolicy: { maxFailures: 3, maxRestarts: 1e6, backoff: { initial: 5, max: 300 } } });
    const limits: (string | undefined)[] = [];
    pool.$handle.on('replica-failed', ({ limit }) => limits.push(limit));
    writeFileSync(broken, '');
    await codeOf(pool.exit());
    await until(() => limits.length >= 2, LONG);
    expect(new Set(limits)).toEqual(new Set(['maxFailures']));
    await until(async () => /3 starts in a row failed \(maxFailures\).*no database/s.test((await pool.$handle.health()).checks[0]!.message ?? ''), LONG);
    rmSync(broken);
    await whole(pool, 1);
    expect(await pool.echo(1)).toBe(1);
  }, LONG);

  it('scale() by hand tries it now, and rejects when it still cannot come up', async () => {
    const broken = join(temporaryProject(), 'broken');
    const pool = await makePool({ size: 1, ...kind, dependencies: { broken }, restartPolicy: { maxFailures: 1, backoff: { initial: '1h', max: '1h' } } });
    // The death itself waits by backoff: another way to the next start is to be asked for it.
    writeFileSync(broken, '');
    const rests = new Promise((resolve) => pool.$handle.on('replica-failed', resolve));
    const { id } = pool.$handle.replicas()[0]!;
    if (kind.workload === 'io') {
      await codeOf(pool.exit());
      expect(await codeOf(pool.$handle.reload())).toMatch(/INIT_FAILED|PROCESS_START_FAILED/);
    } else {
      await codeOf(pool.$with({ timeout: 50 }).hang());
      await rests;
      expect(await codeOf(pool.$handle.scale(1))).toMatch(/INIT_FAILED|PROCESS_START_FAILED/);
    }
    rmSync(broken);
    await pool.$handle.reload();
    expect(await pool.echo(1)).toBe(1);
    expect(pool.$handle.replicas()[0]!.id).not.toBe(id);
  }, LONG);
});

describe('with members that do as they are told', () => {
  it('calls are refused only while every place rests; one that is being tried is waited for', async () => {
    const { members, remote } = await fakePool({ size: 2, concurrency: 1 });
    members[0]!.rest(5_000);
    const served = remote.work();
    const waits = codeOf(remote.work());
    members[1]!.rest(3_000);
    expect(await waits).toBe('RESTARTS_EXHAUSTED');
    const refused = (await remote.work().catch((error: unknown) => error)) as RestartsExhaustedError;
    expect(refused.retryAfter).toBeLessThanOrEqual(3_000);
    expect(refused.retryAfter).toBeGreaterThan(2_000);
    // Its time has come: it is being started.
    members[1]!.halt = undefined;
    const tried = remote.work();
    members[1]!.finish('served');
    expect(await served).toBe('served');
    members[1]!.become('running');
    members[1]!.finish('tried');
    expect(await tried).toBe('tried');
  });

  it('a pool that may grow does so instead, and refuses only what it cannot grow for', async () => {
    let room = true;
    const start = async (make: () => FakeMember) => {
      if (!room) throw new Error('no room');
      return make();
    };
    const { members, remote } = await fakePool({ size: { min: 1, max: 2 } }, { start });
    members[0]!.rest(60_000);
    const waits = remote.work();
    await until(() => members.length === 2 && members[1]!.calls.length === 1);
    members[1]!.finish('served');
    expect(await waits).toBe('served');
    members[1]!.rest(60_000);
    expect(await codeOf(remote.work())).toBe('RESTARTS_EXHAUSTED');
    const full = await fakePool({ size: { min: 1, max: 2 } }, { start });
    room = false;
    full.members[0]!.rest(60_000);
    expect(await full.remote.work().catch((error: unknown) => error)).toMatchObject({ code: 'RESTARTS_EXHAUSTED', retryAfter: expect.any(Number) });
  });

  it('a spare that comes up takes the place of one that rests', async () => {
    const { pool, members, remote } = await fakePool({ size: 1, spares: 1 });
    await until(() => members.length === 2 && pool.population.spares === 1);
    members[1]!.become('restarting');
    members[0]!.rest(60_000);
    expect(await codeOf(remote.work())).toBe('RESTARTS_EXHAUSTED');
    members[1]!.become('running');
    expect(pool.handle.replicas().map(({ id }) => id)).toEqual([members[1]!.id]);
  });

  it('a spare that cannot be started is tried again, later each time', async () => {
    const clock = new FakeClock();
    const starts: number[] = [];
    let room = true;
    const { pool } = await fakePool({ size: 1, spares: 1 }, { clock, start: async (make) => {
      starts.push(clock.now());
      if (starts.length > 1 && !room) throw new Error('no room');
      room = false;
      return make();
    } });
    await clock.advance(300_000);
    expect(pool.population.spares).toBe(0);
    expect(starts.length).toBeGreaterThan(5);
    expect(starts.length).toBeLessThan(12);
    room = true;
    await clock.advance(60_000);
    expect(pool.population.spares).toBe(1);
  });

  it('scale() tries those that rest at once', async () => {
    const { pool, members, remote } = await fakePool({ size: 1 });
    members[0]!.rest(60_000);
    await pool.handle.scale(1);
    expect(members[0]!.retries).toBe(1);
    const call = remote.work();
    members[0]!.finish(1);
    expect(await call).toBe(1);
  });

  it('one that may be stuck gets nothing: calls go to others, or wait until it has answered', async () => {
    const { members, remote } = await fakePool({ size: 2, strategy: 'round-robin' });
    members[0]!.events.emit('held', true);
    const calls = Array.from({ length: 4 }, () => remote.work());
    expect([members[0]!.calls.length, members[1]!.calls.length]).toEqual([0, 4]);
    for (let i = 0; i < 4; i++) members[1]!.finish(i);
    expect(await Promise.all(calls)).toEqual([0, 1, 2, 3]);
    members[1]!.events.emit('held', true);
    const waiting = remote.work();
    expect([members[0]!.calls.length, members[1]!.calls.length]).toEqual([0, 0]);
    members[0]!.events.emit('held', false);
    members[0]!.finish('answered');
    expect(await waiting).toBe('answered');
  });
});

