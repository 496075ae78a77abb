// A process that may be stuck gets nothing more: from the moment when a call of it was given up until it answers, new calls wait. They
// would die with it as `maybeExecuted` otherwise.
import { describe, expect, it } from 'vitest';
import { CallTimeoutError, MimasError, QueueTimeoutError, type RemotePool } from 'mimas';
import { FILE, until, type Worker } from '../pool/helpers.js';
import { isolated, isolations, manager, rejection, subjectFile, transports, type Subject } from './helpers.js';

const LONG = 60_000;
const cells = isolated.flatMap((isolation) => transports.map((transport) => ({ isolation, transport })));

describe.each(cells)('a $isolation over $transport whose loop is held', ({ isolation, transport }) => {
  it.each(['timeout', 'abort'])('by a call that ends by %s: what is called from then on runs on the next incarnation, all of it, once and in order', async (how) => {
    const subject = await manager({ stuckTimeout: 300 }).spawn<Subject>(subjectFile, { isolation, transport });
    await subject.count();
    const controller = new AbortController();
    const stuck = subject.$with(how === 'timeout' ? { timeout: 100 } : { signal: controller.signal }).spin();
    if (how === 'abort') setTimeout(() => controller.abort(new Error('enough')), 100);
    const calls: Promise<number>[] = [];
    const error = await rejection(stuck.catch((reason: unknown) => {
      // In the very same moment, and on.
      for (let i = 0; i < 20; i++) calls.push(subject.count());
      throw reason;
    }));
    expect(error instanceof CallTimeoutError || error.message === 'enough').toBe(true);
    const later = setInterval(() => calls.push(subject.count()), 20);
    await until(() => subject.$handle.restarts === 1 && subject.$handle.status === 'running', LONG);
    clearInterval(later);
    expect(await Promise.all(calls)).toEqual(calls.map((_, i) => i + 1));
  }, LONG);
});

describe.each(isolated)('a %s', (isolation) => {
  it('that answers again gets what waited, in order, and is left alone', async () => {
    const subject = await manager({ stuckTimeout: 20_000 }).spawn<Subject>(subjectFile, { isolation });
    await subject.count();
    await rejection(subject.$with({ timeout: 100 }).spinFor(800));
    const [one, bounded, two] = [subject.count(), rejection(subject.$with({ queueTimeout: 50 }).count()), subject.count()];
    const error = await bounded;
    expect(error).toBeInstanceOf(QueueTimeoutError);
    expect(error).toMatchObject({ maybeExecuted: false, message: 'subject.count(): waited 50 ms for its event loop to answer; it never ran' });
    expect(await Promise.all([one, two])).toEqual([2, 3]);
    expect(subject.$handle.restarts).toBe(0);
  }, LONG);

  it('whose health check got no answer gets nothing more', async () => {
    const subject = await manager({ stuckTimeout: 2_000 }).spawn<Subject>(subjectFile, { isolation, monitoring: { healthCheck: { interval: 50, timeout: 50 } } });
    const ill = new Promise<void>((resolve) => subject.$handle.on('health', ({ status }) => status === 'unhealthy' && resolve()));
    const stuck = rejection(subject.spin());
    await ill;
    const calls = Array.from({ length: 10 }, () => subject.count());
    expect(await stuck).toMatchObject({ code: 'PROCESS_CRASHED' });
    expect(await Promise.all(calls)).toEqual(calls.map((_, i) => i + 1));
  }, LONG);

  it('as a replica is passed by: calls go to the others, and none is lost', async () => {
    const pool: RemotePool<Worker> = await manager({ stuckTimeout: 400 }).pool<Worker>(FILE, { isolation, size: 2, strategy: 'round-robin' });
    await rejection(pool.$with({ timeout: 100 }).spin(60_000));
    const failed: unknown[] = [];
    const where = new Set<string>();
    const before = () => pool.$handle.replicas().every(({ restarts }) => restarts === 0);
    // The last call may have met the one that was started again.
    while (before()) await pool.where().then((place) => before() && where.add(place), (error: unknown) => failed.push(error));
    expect(failed).toEqual([]);
    expect(where.size).toBe(1);
    await until(() => pool.$handle.replicas().every(({ status }) => status === 'running'), LONG);
  }, LONG);

  it('as the only replica is waited for: calls wait in the pool, and none is lost', async () => {
    const pool: RemotePool<Worker> = await manager({ stuckTimeout: 400 }).pool<Worker>(FILE, { isolation, size: 1 });
    await rejection(pool.$with({ timeout: 100 }).spin(60_000));
    const calls = Array.from({ length: 10 }, (_, i) => pool.add(i, 1));
    expect(pool.$handle).toMatchObject({ active: 0, pending: 10 });
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 10 }, (_, i) => i + 1));
  }, LONG);
});

describe.each(isolations)('a healthy %s', (isolation) => {
  it('costs a call that follows an aborted one a round trip, and a thousand aborted at once cost one, too', async () => {
    const subject = await manager().spawn<Subject>(subjectFile, { isolation });
    const times: number[] = [];
    for (let i = 0; i < 200; i++) {
      const controller = new AbortController();
      const hanging = rejection(subject.$with({ signal: controller.signal }).hang());
      controller.abort(new Error('enough'));
      const began = performance.now();
      expect(await subject.add(i, 1)).toBe(i + 1);
      times.push(performance.now() - began);
      await hanging;
    }
    const controller = new AbortController();
    const many = Array.from({ length: 1_000 }, () => subject.$with({ signal: controller.signal }).hang().catch((error: unknown) => error));
    controller.abort(new Error('enough'));
    expect(await subject.add(1, 2)).toBe(3);
    expect((await Promise.all(many)).some((error) => error instanceof MimasError)).toBe(false);
    const median = times.sort((a, b) => a - b)[100]!;
    console.log(`${isolation}: a call right after an aborted one: median ${(median * 1_000).toFixed(0)} µs`);
    // A whole machine may be slow, but nothing here waits for a timer.
    expect(median).toBeLessThan(20);
    expect(subject.$handle.restarts).toBe(0);
  }, LONG);
});
