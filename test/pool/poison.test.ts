// A method that ends its replica again and again: told apart in events, metrics and a warning, and refused for a while if asked to.
import { describe, expect, it } from 'vitest';
import { CircuitOpenError, type PoolSpawnOptions, type RemotePool } from '../../dist/index.js';
import { FakeClock } from '../../dist/testing/fake-clock.js';
import type Poisonous from '../fixtures/pool/poisonous.process.js';
import { codeOf, fakePool, manager, until } from './helpers.js';

const SOURCE = new URL('../fixtures/pool/poisonous.process.ts', import.meta.url);
const LONG = 60_000;
const kinds = [{ isolation: 'worker', workload: 'io' }, { isolation: 'child', workload: 'io' }, { isolation: 'worker', workload: 'cpu' }] as const;
const makePool = (options: PoolSpawnOptions, pm = manager()): Promise<RemotePool<Poisonous>> => pm.pool<Poisonous>(SOURCE, { size: 2, restartPolicy: { backoff: { initial: 5, max: 50 } }, ...options });

describe.each(kinds)('$isolation, $workload', (kind) => {
  it('is refused after so many deaths, with the time of the next try; other methods are not, and no replica dies for it any more', async () => {
    const pool = await makePool({ ...kind, poison: { deaths: 2, window: '1h' } });
    const poisoned: { method: string; retryAfter: number }[] = [];
    pool.$handle.on('poison', (event) => poisoned.push(event));
    expect(await pool.echo(1)).toBe(1);
    for (let i = 0; i < 2; i++) expect(await codeOf(pool.exit())).toBe('PROCESS_CRASHED');
    for (const call of [pool.exit(), pool.$with({ idempotent: true }).exit(), pool.$handle.broadcast('exit')]) {
      const error = (await call.catch((thrown: unknown) => thrown)) as CircuitOpenError;
      expect(error).toBeInstanceOf(CircuitOpenError);
      expect(error).toMatchObject({ method: 'exit', pool: 'poisonous', maybeExecuted: false });
      expect(error.message).toMatch(/^poisonous\.exit\(\): it has ended 2 replicas within 3600000 ms and is refused by the option poison; try again in \d+ ms$/);
      expect(error.retryAfter).toBeGreaterThan(3_500_000);
    }
    expect(await Promise.all(Array.from({ length: 10 }, (_, i) => pool.echo(i)))).toEqual(Array.from({ length: 10 }, (_, i) => i));
    expect(poisoned).toMatchObject([{ method: 'exit' }]);
    const metrics = await pool.$handle.metrics();
    expect(metrics.deaths).toBe(2);
    expect(metrics.methods['exit']).toMatchObject({ deaths: 2 });
    expect(metrics.methods['echo']).toMatchObject({ deaths: 0 });
    expect(pool.$handle.replicas().reduce((sum, { restarts }) => sum + restarts, 0)).toBe(2);
  }, LONG);

  it('that holds its replica until that is ended is such a method as well', async () => {
    const pool = await makePool({ ...kind, poison: { deaths: 2, window: '1h' }, ...(kind.workload === 'io' ? { stuckTimeout: 200 } : {}) });
    expect(await pool.echo(1)).toBe(1);
    for (let i = 0; i < 2; i++) {
      await codeOf(pool.$with({ timeout: 100 }).hang());
      await until(() => pool.$handle.replicas().reduce((sum, { restarts }) => sum + restarts, 0) === i + 1, LONG);
    }
    expect(await codeOf(pool.hang())).toBe('CIRCUIT_OPEN');
    expect(await pool.echo(1)).toBe(1);
  }, LONG);
});

it('an idempotent call that ends replica after replica is not tried on once its method is refused', async () => {
  const pool = await makePool({ size: 4, poison: { deaths: 2, window: '1h' } });
  expect(await codeOf(pool.$with({ idempotent: true }).exit())).toBe('PROCESS_CRASHED');
  expect((await pool.$handle.metrics()).deaths).toBe(2);
});

it('a call that was only beside it is not blamed, if its method was ever answered', async () => {
  const pool = await makePool({ size: 1, isolation: 'child' });
  expect(await pool.slow(1, 1)).toBe(1);
  const died: (readonly string[])[] = [];
  pool.$handle.on('replica-died', ({ methods }) => died.push(methods));
  const beside = codeOf(pool.slow(30_000, 1));
  await codeOf(pool.exit());
  expect(await beside).toBe('PROCESS_CRASHED');
  // Nobody but the only one there can be asked.
  const only = codeOf(pool.slow(30_000, 1));
  await until(() => pool.$handle.active === 1);
  process.kill(pool.$handle.replicas()[0]!.pid!, 'SIGKILL');
  await only;
  expect(died).toEqual([['exit'], ['slow']]);
}, LONG);

it('a process that is spawned alone tells the method in its event, its metrics and Prometheus', async () => {
  const pm = manager();
  const alone = await pm.spawn<Poisonous>(SOURCE);
  const crash = new Promise<{ methods: readonly string[] }>((resolve) => alone.$handle.on('crash', resolve));
  await alone.echo(1);
  await codeOf(alone.exit());
  expect(await crash).toMatchObject({ methods: ['exit'] });
  const { deaths, methods } = await alone.$handle.metrics();
  expect([deaths, methods['exit']!.deaths, methods['echo']!.deaths]).toEqual([1, 1, 0]);
  expect(await pm.prometheus()).toMatch(/mimas_method_deaths_total\{method="exit",process="poisonous",process_id="[^"]+"\} 1/);
});

describe('with members that do as they are told', () => {
  it('those that wait are refused, and after the window it is run again, until it ends as many once more', async () => {
    const clock = new FakeClock();
    const { members, remote, pool } = await fakePool({ size: 1, concurrency: 1, poison: { deaths: 2, window: 1_000 } }, { clock });
    const die = () => members[0]!.events.emit('death', { methods: ['work'], error: new Error('dead') });
    const served = remote.work();
    const waits = codeOf(remote.work());
    die();
    await clock.advance(999);
    die();
    expect(await waits).toBe('CIRCUIT_OPEN');
    expect(pool.rejected).toBe(1);
    members[0]!.finish(1);
    expect(await served).toBe(1);
    await clock.advance(999);
    expect(await codeOf(remote.work())).toBe('CIRCUIT_OPEN');
    await clock.advance(1);
    const again = remote.work();
    members[0]!.finish(2);
    expect(await again).toBe(2);
    die();
    await clock.advance(1_000);
    die();
    const apart = remote.work();
    members[0]!.finish(3);
    expect(await apart).toBe(3);
    die();
    expect(await codeOf(remote.work())).toBe('CIRCUIT_OPEN');
  });

  it.each([[undefined, 0, 1], [undefined, 1_000, 0], [{ deaths: 3 }, 1_000, 1]])('with the option %j and %i answers a warning is given %i times', async (poison, answers, warnings) => {
    const heard: string[] = [];
    const hear = ({ message }: Error) => void heard.push(message);
    process.on('warning', hear);
    const { members, pool } = await fakePool({ size: 1, ...(poison && { poison }) });
    for (let i = 0; i < answers; i++) members[0]!.meter.method('work').record(1, false);
    for (let i = 0; i < 5; i++) members[0]!.events.emit('death', { methods: ['work'], error: new Error('dead') });
    await new Promise(setImmediate);
    process.off('warning', hear);
    expect(heard.filter((message) => message.includes('fake.work(): 3 replicas of the pool died with calls of it within 60000 ms'))).toHaveLength(warnings);
    await pool.stop();
  });

  it.each([[{ deaths: 0 }, 'poison.deaths'], [{ window: 'soon' }, 'poison.window'], [{ death: 1 }, 'poison: unknown option']])('refuses %j by name', async (poison, named) => {
    await expect(fakePool({ size: 1, poison: poison as object })).rejects.toThrow(named);
  });
});
