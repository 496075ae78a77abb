// Scaling by load, on a clock that the test moves: it grows when calls wait, shrinks after a whole idle period, never flaps.
import { expect, it } from 'vitest';
import { FakeClock } from '../../dist/testing/index.js';
import { codeOf, fakePool, makePool, sleep, type FakeMember } from './helpers.js';

const busy = (members: FakeMember[]) => members.map(({ calls }) => calls.length);

it('grows when calls wait for longer than a moment, and not by more than they need', async () => {
  const clock = new FakeClock();
  const { pool, remote, members } = await fakePool({ size: { min: 1, max: 8 }, concurrency: 1 }, { clock });
  const calls = [1, 2, 3].map(() => remote.work());
  await clock.advance(40);
  expect(pool.handle.size).toBe(1);
  await clock.advance(70);
  expect(pool.handle.size).toBe(3);
  expect(busy(members)).toEqual([1, 1, 1]);
  await clock.advance(10_000);
  expect(pool.handle.size).toBe(3);
  for (const member of members) member.finish();
  await Promise.all(calls);
});

it('never grows beyond max, nor shrinks below min', async () => {
  const clock = new FakeClock();
  const { pool, remote, members } = await fakePool({ size: { min: 2, max: 3 }, concurrency: 1, idleTimeout: '10s' }, { clock });
  const calls = Array.from({ length: 20 }, () => remote.work());
  await clock.advance(1_000);
  expect(pool.handle.size).toBe(3);
  while (pool.handle.active > 0) {
    for (const member of members) if (member.calls.length > 0) member.finish();
    await clock.flush();
  }
  await Promise.all(calls);
  await clock.advance(200_000);
  expect(pool.handle.size).toBe(2);
  expect(members.filter(({ stopped }) => stopped)).toHaveLength(1);
});

it('an idle pool stays at its minimum', async () => {
  const clock = new FakeClock();
  const { pool, members } = await fakePool({ size: { min: 1, max: 16 } }, { clock });
  await clock.advance(600_000);
  expect(pool.handle.size).toBe(1);
  expect(members).toHaveLength(1);
});

it('gives up one replica after each whole idle period, the idlest first, drained', async () => {
  const clock = new FakeClock();
  const { pool, remote, members } = await fakePool({ size: { min: 1, max: 4 }, concurrency: 4, idleTimeout: '30s' }, { clock });
  const events: string[] = [];
  pool.handle.on('scaled', ({ from, to, reason }) => events.push(`${from}>${to} ${reason}`));
  const burst = Array.from({ length: 16 }, () => remote.work());
  await clock.advance(200);
  expect(pool.handle.size).toBe(4);
  for (const member of members.slice(1)) while (member.calls.length > 0) member.finish();
  while (members[0]!.calls.length > 1) members[0]!.finish();
  await clock.advance(29_000);
  expect(pool.handle.size).toBe(4);
  await clock.advance(3_000);
  expect(pool.handle.size).toBe(3);
  await clock.advance(32_000);
  expect(pool.handle.size).toBe(2);
  await clock.advance(32_000);
  // One call is still in flight, so one replica must stay: the one that runs it.
  expect(pool.handle.replicas().map(({ id }) => id)).toContain(members[0]!.id);
  expect(members[0]!.stopped).toBe(false);
  members[0]!.finish();
  await Promise.all(burst);
  await clock.advance(70_000);
  expect(pool.handle.size).toBe(1);
  expect(events).toEqual(['1>4 load', '4>3 idle', '3>2 idle', '2>1 idle']);
});

it('does not flap under a load that comes and goes', async () => {
  const clock = new FakeClock();
  const { pool, remote, members } = await fakePool({ size: { min: 1, max: 4 }, concurrency: 1, idleTimeout: '20s' }, { clock });
  let changes = 0;
  pool.handle.on('scaled', () => changes++);
  for (let round = 0; round < 30; round++) {
    const calls = [1, 2, 3].map(() => remote.work());
    await clock.advance(500);
    for (let i = 0; i < 3; i++) for (const member of members) if (member.calls.length > 0) member.finish();
    await clock.flush();
    await Promise.all(calls);
    await clock.advance(9_500);
  }
  expect(changes).toBe(1);
  expect(pool.handle.size).toBe(3);
});

it('from zero: the first call starts a replica, and an idle pool is empty again', async () => {
  const clock = new FakeClock();
  const { pool, remote, members } = await fakePool({ size: { min: 0, max: 2 }, idleTimeout: '5s' }, { clock });
  expect(pool.methods()).toEqual(['work']);
  await clock.advance(10_000);
  expect(pool.handle.size).toBe(0);
  await expect(pool.handle.health()).resolves.toMatchObject({ status: 'healthy' });
  const call = remote.work();
  await clock.advance(60);
  expect(pool.handle.size).toBe(1);
  members.at(-1)!.finish('woken');
  await expect(call).resolves.toBe('woken');
});

it('a start that fails is tried again later and later, not at each look', async () => {
  const clock = new FakeClock();
  let starts = 0;
  const { pool, remote, members } = await fakePool({ size: { min: 1, max: 4 }, concurrency: 1, queueTimeout: '10m' }, {
    clock,
    start: async (make) => {
      if (++starts > 1) throw new Error('no more');
      return make();
    },
  });
  const failures: string[] = [];
  pool.handle.on('replica-failed', ({ error }) => failures.push(error.message));
  const calls = [remote.work(), remote.work()];
  await clock.advance(60_000);
  expect(starts).toBeGreaterThan(3);
  expect(starts).toBeLessThan(10);
  expect(failures.length).toBe(starts - 1);
  members[0]!.finish();
  await clock.flush();
  members[0]!.finish();
  await Promise.all(calls);
});

it('scale() by hand: up and down at once, drained, in any order', async () => {
  const pool = await makePool({ size: 1, concurrency: 1 });
  const handle = pool.$handle;
  await handle.scale(3);
  expect(handle.size).toBe(3);
  expect(handle.replicas().map(({ slot }) => slot)).toEqual([0, 1, 2]);
  const slow = pool.slow(120);
  await sleep(5);
  const down = handle.scale(1);
  // The ones that are idle went, the one with the call stayed.
  await down;
  expect(handle.size).toBe(1);
  await expect(slow).resolves.toBeTypeOf('string');
  await Promise.all([handle.scale(3), handle.scale(3), handle.scale(2)]);
  expect(handle.size).toBe(2);
  await expect(codeOf(handle.scale(-1))).resolves.toBe('INVALID_OPTION');
  await expect(codeOf(handle.scale(1.5))).resolves.toBe('INVALID_OPTION');
  await handle.scale(0);
  expect(handle.size).toBe(0);
  const waits = pool.add(1, 2);
  await handle.scale(1);
  await expect(waits).resolves.toBe(3);
});

it('scale() stays within the bounds of a pool that scales by itself', async () => {
  const { pool } = await fakePool({ size: { min: 1, max: 2 } });
  await expect(pool.handle.scale(3)).rejects.toThrow("scale: 3 is outside of the pool's bounds, 1 to 2");
  await pool.handle.stop();
});

it('a replica that leaves finishes its calls before it ends', async () => {
  const { pool, members, remote } = await fakePool({ size: 2, concurrency: 1 });
  const calls = [remote.work(), remote.work()];
  await sleep(1);
  const down = pool.handle.scale(1);
  const third = remote.work();
  await sleep(5);
  expect(members.some(({ stopped }) => stopped)).toBe(false);
  members[1]!.finish();
  await down;
  expect(members[1]!.stopped).toBe(true);
  members[0]!.finish();
  await sleep(1);
  members[0]!.finish('third');
  await expect(third).resolves.toBe('third');
  await Promise.all(calls);
});

it('starts the next spare a moment after one was taken', async () => {
  const clock = new FakeClock();
  const { pool, members } = await fakePool({ size: 1, spares: 1 }, { clock });
  expect(members).toHaveLength(2);
  members[0]!.become('failed');
  expect(pool.handle.replicas().map(({ id }) => id)).toEqual([members[1]!.id]);
  await clock.advance(19);
  // Time is the pool's own.
  await sleep(40);
  expect(members).toHaveLength(2);
  await clock.advance(1);
  expect(members).toHaveLength(3);
  expect(pool.handle.spares).toBe(1);
  await pool.handle.stop();
});
