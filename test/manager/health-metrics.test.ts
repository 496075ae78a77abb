// What the manager says of a process is what the process itself says and does: its own checks, its own thread's figures.
import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { UnitNotFoundError, type HealthStatus } from 'mimas';
import { until } from '../pool/helpers.js';
import { fixture, isolated, isolations, manager, next, rejection, subjectFile, type Subject } from './helpers.js';

const checkedFile = fixture('checked.js');
const MIB = 1024 * 1024;

interface Checked {
  set(moods: Record<string, unknown>): void;
  ran(): number;
  add(a: number, b: number): number;
  spin(): void;
}

describe.each(isolations)('the health of a process in isolation %s', (isolation) => {
  const start = async (dependencies: object = {}, options: object = {}) => {
    const pm = manager({ isolation });
    return { pm, checked: await pm.spawn<Checked>(checkedFile, { dependencies, ...options }) };
  };

  it('is what its own checks say, kept as they are, in order', async () => {
    const { pm, checked } = await start();
    const before = Date.now();
    const report = await pm.getHealth(checked);
    expect(report).toEqual({
      status: 'healthy',
      checks: [
        { name: 'database', status: 'pass', details: { since: new Date(0) } },
        { name: 'replica', status: 'pass' },
        { name: 'queue', status: 'pass' },
        { name: 'quick', status: 'pass' },
      ],
      timestamp: expect.any(Number),
    });
    expect(report.timestamp).toBeGreaterThanOrEqual(before);
    expect(await pm.getHealth(checked.__processId)).toMatchObject({ status: 'healthy' });
    expect(await checked.$handle.health()).toMatchObject({ status: 'healthy' });
  });

  it.each<[string, Record<string, unknown>, HealthStatus['status'], object]>([
    ['one that is degraded makes it degraded', { queue: 'degraded' }, 'degraded', { name: 'queue', status: 'warn', message: '90 % full', details: { length: 900 } }],
    ['the worst of them counts', { queue: 'degraded', database: 'unhealthy' }, 'unhealthy', { name: 'database', status: 'fail', message: 'no connection' }],
    ['one that throws fails with what it threw', { queue: 'throws' }, 'unhealthy', { name: 'queue', status: 'fail', message: 'queue is broken' }],
    ['one that hangs fails at its own timeout', { quick: 'hangs' }, 'unhealthy', { name: 'quick', status: 'fail', message: 'no answer within 60 ms' }],
    ['one that returns false fails', { queue: false }, 'unhealthy', { name: 'queue', status: 'fail', message: 'returned false' }],
    ['one without checks is named after its method', { queue: 'bare' }, 'unhealthy', { name: 'queue', status: 'fail' }],
    ['one that returns no report says what to return', { queue: 'senseless' }, 'unhealthy', { name: 'queue', status: 'fail', message: expect.stringMatching(/returned .*fine.*; return \{ status:/) as string }],
  ])('%s', async (_, moods, status, check) => {
    const { pm, checked } = await start(moods);
    const report = await pm.getHealth(checked);
    expect(report.status).toBe(status);
    expect(report.checks).toContainEqual(check);
    expect(report.checks.length).toBeGreaterThanOrEqual(3);
  });

  it('is asked for in the background, and a change is told once', async () => {
    const { pm, checked } = await start({}, { monitoring: { healthCheck: { interval: 25 } } });
    const heard: string[] = [];
    pm.on('health', ({ id, status }) => {
      expect(id).toBe(checked.__processId);
      heard.push(status);
    });
    let changed = next<HealthStatus>((listener) => checked.$handle.on('health', listener));
    await checked.set({ queue: 'degraded' });
    expect(await changed).toMatchObject({ status: 'degraded' });
    const runs = await checked.ran();
    changed = next<HealthStatus>((listener) => checked.$handle.on('health', listener));
    while ((await checked.ran()) < runs + 2) await new Promise((resolve) => setTimeout(resolve, 10));
    await checked.set({});
    expect(await changed).toMatchObject({ status: 'healthy' });
    expect(heard).toEqual(['degraded', 'healthy']);
  });

  it('together with others names each check after its process', async () => {
    const { pm } = await start({ queue: 'degraded' });
    await pm.spawn<Subject>(subjectFile, { name: 'second' });
    const report = await pm.getHealth();
    expect(report.status).toBe('degraded');
    expect(report.checks.map(({ name }) => name)).toEqual(['checked.database', 'checked.replica', 'checked.queue', 'checked.quick']);
  });

  it('of one that nobody knows is an error that names it', async () => {
    const { pm } = await start();
    for (const ask of [pm.getHealth('nobody'), (async () => pm.getMetrics('nobody'))()]) {
      const error = await rejection(ask);
      expect(error).toBeInstanceOf(UnitNotFoundError);
      expect(error.message).toContain('nobody');
    }
  });
});

describe.each(isolated)('a %s', (isolation) => {
  it('whose loop is stuck is unhealthy, and is started again', async () => {
    const pm = manager({ isolation, stuckTimeout: 150, monitoring: { healthCheck: { interval: '1h', timeout: 100 } } });
    const checked = await pm.spawn<Checked>(checkedFile);
    const spinning = rejection(checked.spin());
    const ready = next((listener) => checked.$handle.on('ready', listener));
    expect(await pm.getHealth(checked)).toMatchObject({ status: 'unhealthy', checks: [{ name: 'responsive', status: 'fail', message: expect.stringMatching(/checked gave no answer within 600 ms/) }] });
    expect((await spinning).message).toMatch(/its event loop did not answer/);
    await ready;
    expect((await pm.getHealth(checked)).status).toBe('healthy');
  });

  it('that is down says so, and why', async () => {
    const pm = manager({ isolation, restartPolicy: { type: 'temporary' } });
    const subject = await pm.spawn<Subject>(subjectFile);
    const over = next<{ to: string }>((listener) => subject.$handle.on('status', (detail) => detail.to === 'failed' && listener(detail)));
    await rejection(subject.exit(5));
    await over;
    expect(await pm.getHealth(subject)).toMatchObject({ status: 'unhealthy', checks: [{ name: 'process', status: 'fail', message: expect.stringMatching(/subject is failed: .*exited with code 5/) }] });
  });

  it('that is busy shows the percent of a core that it really had, an idle one beside it near none', async () => {
    const pm = manager({ isolation });
    const [busy, idle] = await Promise.all([pm.spawn<Subject>(subjectFile), pm.spawn<Subject>(subjectFile)]);
    // From here on is measured.
    await Promise.all([pm.getMetrics(busy), pm.getMetrics(idle)]);
    // The other programs of this machine take their share, so the truth is what the thread really had: 100 when alone.
    const share = await busy.spinShare(500);
    const [hot, cold] = await Promise.all([pm.getMetrics(busy), pm.getMetrics(idle)]);
    expect(share).toBeGreaterThan(10);
    expect(Math.abs(hot.cpu - share)).toBeLessThan(20);
    expect(cold.cpu).toBeLessThan(hot.cpu / 3);
    expect(hot.eventLoopUtilization).toBeGreaterThan(0.8);
    expect(cold.eventLoopUtilization).toBeLessThan(0.3);
    // Over the last second or so, not since its start: once it rests, it falls.
    await until(async () => (await pm.getMetrics(busy)).cpu < hot.cpu / 3);
  });

  it('that has just started tells no rates, soon after more than it can have, never', async () => {
    const pm = manager({ isolation });
    const subject = await pm.spawn<Subject>(subjectFile);
    const most = isolation === 'worker' ? 100 : 100 * availableParallelism();
    const seen: number[] = [];
    const look = async () => {
      const { cpu, eventLoopUtilization, rateWindow } = await pm.getMetrics(subject);
      seen.push(rateWindow);
      if (rateWindow === 0) expect([cpu, eventLoopUtilization]).toEqual([0, 0]);
      else {
        expect(rateWindow).toBeGreaterThanOrEqual(250);
        expect(cpu).toBeLessThanOrEqual(most);
        expect(eventLoopUtilization).toBeLessThanOrEqual(1);
      }
    };
    await look();
    while (Math.max(...seen) < 1_100) {
      await subject.spinFor(10);
      await look();
    }
    expect(seen[0]).toBe(0);
    expect(seen.at(-1)).toBeLessThan(3_000);
  });

  it('that takes memory shows it, and the one beside it does not', async () => {
    const pm = manager({ isolation });
    const [growing, other] = await Promise.all([pm.spawn<Subject>(subjectFile), pm.spawn<Subject>(subjectFile)]);
    const [before, otherBefore] = await Promise.all([pm.getMetrics(growing), pm.getMetrics(other)]);
    await growing.keepBuffer(64 * MIB);
    const [after, otherAfter] = await Promise.all([pm.getMetrics(growing), pm.getMetrics(other)]);
    expect(before.memory).toBeGreaterThan(MIB);
    expect(after.memory - before.memory).toBeGreaterThan(48 * MIB);
    expect(otherAfter.memory - otherBefore.memory).toBeLessThan(16 * MIB);
  });

  it('over its maxCpu is degraded, with the figure', async () => {
    const pm = manager({ isolation, resources: { maxCpu: 12 } });
    const subject = await pm.spawn<Subject>(subjectFile);
    await pm.getMetrics(subject);
    await subject.spinFor(300);
    const report = await pm.getHealth(subject);
    expect(report.status).toBe('degraded');
    expect(report.checks).toContainEqual({ name: 'cpu', status: 'warn', message: expect.stringMatching(/% of a core, the limit is 12 %/), details: { cpu: expect.any(Number), maxCpu: 12 } });
    await until(async () => (await pm.getHealth(subject)).status === 'healthy');
  });
});

describe.each(isolations)('the metrics of a process in isolation %s', (isolation) => {
  it('count requests, errors and latency, together and per method', async () => {
    const pm = manager({ isolation });
    const subject = await pm.spawn<Subject>(subjectFile);
    for (let i = 0; i < 20; i++) await subject.add(i, i);
    await rejection(subject.fail('no'));
    await subject.sleep(60);
    const hanging = rejection(subject.hang());
    await subject.add(1, 2);
    const metrics = await pm.getMetrics(subject);
    expect(metrics).toMatchObject({ requests: 23, errors: 1, inFlight: 1, queued: 0, restarts: 0 });
    expect(metrics.uptime).toBeGreaterThan(60);
    expect(metrics.methods['add']).toMatchObject({ requests: 21, errors: 0 });
    expect(metrics.methods['fail']).toMatchObject({ requests: 1, errors: 1 });
    expect(Object.keys(metrics.methods).sort()).toEqual(['add', 'fail', 'sleep']);
    const { latency } = metrics.methods['sleep']!;
    for (const figure of [latency.p50, latency.p95, latency.p99, latency.max, latency.mean]) expect(figure).toBeGreaterThanOrEqual(59);
    expect(metrics.methods['add']!.latency.p50).toBeLessThan(50);
    expect(metrics.latency.p50).toBeLessThanOrEqual(metrics.latency.p95);
    expect(metrics.latency.p95).toBeLessThanOrEqual(metrics.latency.p99);
    expect(metrics.latency.p99).toBeLessThanOrEqual(metrics.latency.max);
    expect(await pm.getMetrics(subject.__processId)).toMatchObject({ requests: 23 });
    await pm.kill(subject);
    await hanging;
  });

  it('do not count the pause before a call, whether or not the calls before it filled a batch', async () => {
    const pm = manager({ isolation });
    const subject = await pm.spawn<Subject>(subjectFile);
    await subject.add(1, 2);
    for (const together of [15, 16, 17]) {
      const { max } = (await pm.getMetrics(subject)).methods['add']!.latency;
      await Promise.all(Array.from({ length: together }, () => subject.add(1, 2)));
      const pause = 400 + max;
      await new Promise((resolve) => setTimeout(resolve, pause));
      await subject.add(1, 2);
      expect((await pm.getMetrics(subject)).methods['add']!.latency.max).toBeLessThan(pause);
    }
  });

  it('are not kept when monitoring.metrics is false', async () => {
    const pm = manager({ isolation, monitoring: { metrics: false } });
    const subject = await pm.spawn<Subject>(subjectFile);
    await subject.add(1, 2);
    expect(await pm.getMetrics(subject)).toMatchObject({ requests: 0, methods: {}, latency: { p50: 0 } });
  });

  it('survive a restart, and count it', async () => {
    const pm = manager({ isolation });
    const subject = await pm.spawn<Subject>(subjectFile);
    await subject.add(1, 2);
    await subject.$handle.restart();
    await subject.add(1, 2);
    expect(await pm.getMetrics(subject)).toMatchObject({ requests: 2, restarts: 1 });
  });

  it('tracing gives every call a traceparent, and continues the one it is made in', async () => {
    const pm = manager({ isolation, monitoring: { tracing: true } });
    const subject = await pm.spawn<Subject>(subjectFile);
    const pattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-01$/;
    const [one, two] = [await subject.headers(), await subject.headers()];
    expect(one['traceparent']).toMatch(pattern);
    expect(pattern.exec(two['traceparent']!)![1]).not.toBe(pattern.exec(one['traceparent']!)![1]);
    const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const continued = pattern.exec((await subject.$with({ headers: { traceparent: parent } }).headers())['traceparent']!)!;
    expect(continued[1]).toBe('0af7651916cd43dd8448eb211c80319c');
    expect(continued[2]).not.toBe('b7ad6b7169203331');
  });

  it('without tracing only what the caller gives travels', async () => {
    const subject = await manager({ isolation }).spawn<Subject>(subjectFile);
    expect(await subject.headers()).toEqual({});
    expect(await subject.$with({ headers: { tenant: 'a' } }).headers()).toEqual({ tenant: 'a' });
  });
});
