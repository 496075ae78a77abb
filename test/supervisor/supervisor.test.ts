// The acceptance behaviours of research/orchestration.md section 7 that concern the supervisor, under a fake clock.
// Names in brackets are those of the upstream tests that they come from.
import { describe, expect, it, vi } from 'vitest';
import { InvalidOptionError, ProcessStoppedError, RestartsExhaustedError, ShutdownIncompleteError, UnitNotFoundError, UnknownOptionError } from '../../src/errors.js';
import { Supervisor } from '../../src/supervisor/index.js';
import { gaps, settled, setUp } from './helpers.js';

describe('the life of a unit', () => {
  it('a create brings it to Syncing with exactly one sync (CreateProcess)', async () => {
    const { create, supervisor, syncer, clock } = setUp();
    const status = await create('a');
    expect(status).toMatchObject({ id: 'a', state: 'Syncing', healthy: true, errorCount: 0, generation: 1, lastSync: clock.now() });
    expect(syncer.syncs).toEqual([expect.objectContaining({ updateType: 'create', config: 'c1', cause: 'update' })]);
    expect(supervisor.getProcessStatus('a')?.state).toBe('Syncing');
  });

  it('an update runs a second sync with the new config (UpdateProcess)', async () => {
    const { create, supervisor, syncer } = setUp();
    await create('a');
    await supervisor.updateProcess({ id: 'a', updateType: 'update', config: 'c2' });
    expect(syncer.syncs.map(({ updateType, config }) => [updateType, config])).toEqual([['create', 'c1'], ['update', 'c2']]);
  });

  it('1. ten updates during a slow sync never overlap, and the last config is the one applied (ConcurrentUpdates)', async () => {
    const { create, supervisor, syncer, clock } = setUp();
    let running = 0;
    syncer.onSync = async () => {
      expect(++running).toBe(1);
      await clock.sleep(100);
      running--;
    };
    const done = [create('a', 'c0')];
    await clock.flush();
    for (let i = 1; i <= 10; i++) done.push(supervisor.updateProcess({ id: 'a', updateType: 'update', config: `c${i}` }));
    await clock.advance(1000);
    expect(syncer.syncs.map(({ config }) => config)).toEqual(['c0', 'c10']);
    for (const status of await Promise.all(done)) expect(status.state).toBe('Syncing');
  });

  it('2. terminate aborts a running 5 s sync and goes on with a fresh signal (ContextCancellation)', async () => {
    const { create, terminate, syncer, clock, supervisor } = setUp();
    let aborted = false;
    syncer.onSync = async ({ signal }) => {
      signal.addEventListener('abort', () => (aborted = true));
      await clock.sleep(5000, signal);
    };
    let fresh: boolean | undefined;
    syncer.onTerminating = ({ signal }) => void (fresh = !signal.aborted);
    const created = create('a');
    await clock.advance(100);
    const ended = terminate('a');
    expect(supervisor.getProcessStatus('a')?.state).toBe('Terminating');
    await ended;
    expect({ aborted, fresh, at: syncer.terminating[0]?.at }).toEqual({ aborted: true, fresh: true, at: 1_000_100 });
    expect((await created).state).toBe('Terminated');
    expect(supervisor.getProcessStatus('a')?.errorCount).toBe(0);
  });

  it('3. termination runs each hook once, in order, and the promise resolves (TerminationPhases, GracefulTermination)', async () => {
    const { create, terminate, supervisor, syncer, transitions } = setUp();
    await create('a');
    expect(await terminate('a')).toMatchObject({ state: 'Terminated', healthy: false, endReason: 'terminate' });
    expect(await supervisor.whenFinished('a')).toMatchObject({ state: 'Finished' });
    expect(transitions).toEqual(['a: Starting→Syncing', 'a: Syncing→Terminating', 'a: Terminating→Terminated', 'a: Terminated→Finished']);
    expect([syncer.terminating.length, syncer.terminated.length]).toEqual([1, 1]);
    expect([supervisor.isTerminated('a'), supervisor.isFinished('a')]).toEqual([true, true]);
  });

  it('4. a sync that returns terminal ends the unit at once, not at the resync (TerminalState)', async () => {
    const { create, supervisor, syncer, clock } = setUp();
    const cause = new Error('no such file');
    syncer.onSync = () => ({ terminal: true, error: cause });
    const before = clock.now();
    expect(await create('a')).toMatchObject({ state: 'Terminated', endReason: 'failed', lastError: cause });
    await supervisor.whenFinished('a');
    expect([clock.now() - before, supervisor.health().failedProcesses]).toEqual([0, 1]);
  });

  it('5. grace 10 s, asked for 20 then 5, is 5 (GracePeriodDecrease); the running hook sees it and its signal fires then', async () => {
    const { create, terminate, syncer, clock } = setUp();
    await create('a');
    const seen: number[] = [];
    let killedAt = 0;
    syncer.onTerminating = async (ctx) => {
      seen.push(ctx.gracePeriod);
      await clock.sleep(1000);
      seen.push(ctx.gracePeriod);
      await clock.sleep(1000);
      seen.push(ctx.gracePeriod);
      await clock.sleep(60_000, ctx.signal).catch(() => (killedAt = clock.now()));
    };
    const began = clock.now();
    const all = [terminate('a', 10_000)];
    await clock.advance(500);
    all.push(terminate('a', 20_000));
    await clock.advance(1000);
    all.push(terminate('a', 5000));
    await clock.advance(10_000);
    expect(seen).toEqual([10_000, 10_000, 5000]);
    expect(killedAt - began).toBe(5000);
    expect((await Promise.all(all)).map(({ state }) => state)).toEqual(['Terminated', 'Terminated', 'Terminated']);
    expect(syncer.terminating).toHaveLength(1);
  });

  it('6. ids that are no longer desired finish, and are gone at the second look (SyncKnownProcesses)', async () => {
    const { create, supervisor, clock } = setUp();
    await Promise.all(['1', '2', '3'].map((id) => create(id)));
    expect([...supervisor.syncKnownProcesses(['1', '2']).keys()]).toEqual(['1', '2', '3']);
    await clock.flush();
    expect(supervisor.isFinished('3')).toBe(true);
    expect([...supervisor.syncKnownProcesses(['1', '2']).keys()]).toEqual(['1', '2']);
    expect(supervisor.getProcessStatus('3')).toBeUndefined();
  });

  it('9. an update of a Finished unit does nothing; a create begins a new generation (UpdateFinishedProcess, fixed)', async () => {
    const { create, terminate, supervisor, syncer } = setUp();
    await create('a');
    await terminate('a');
    await supervisor.whenFinished('a');
    expect((await supervisor.updateProcess({ id: 'a', updateType: 'update', config: 'c2' })).state).toBe('Finished');
    expect(syncer.syncs).toHaveLength(1);
    expect(await create('a', 'c3')).toMatchObject({ state: 'Syncing', generation: 2 });
    expect(syncer.syncs.at(-1)).toMatchObject({ config: 'c3', generation: 2 });
  });

  it('a create that arrives while terminating waits for the end; an update after it wins; nothing overlaps', async () => {
    const { create, terminate, supervisor, syncer, clock, transitions } = setUp();
    await create('a');
    syncer.onTerminating = () => clock.sleep(1000);
    const ended = terminate('a');
    const again = create('a', 'c2');
    const later = supervisor.updateProcess({ id: 'a', updateType: 'update', config: 'c3' });
    expect(await settled(again, clock)).toBe(false);
    await clock.advance(1000);
    expect((await ended).generation).toBe(1);
    expect(await again).toMatchObject({ state: 'Syncing', generation: 2 });
    expect(await later).toMatchObject({ generation: 2 });
    expect(syncer.syncs.map(({ config }) => config)).toEqual(['c1', 'c3']);
    expect(transitions.at(-2)).toBe('a: Terminated→Finished');
  });

  it('a terminate overtakes a waiting create, and the promise of the create resolves all the same', async () => {
    const { create, terminate, syncer, clock, supervisor } = setUp();
    await create('a');
    syncer.onTerminating = () => clock.sleep(1000);
    const all = [terminate('a'), create('a', 'c2'), terminate('a')];
    await clock.advance(1000);
    expect((await Promise.all(all)).map(({ generation }) => generation)).toEqual([1, 1, 1]);
    expect([syncer.syncs.length, supervisor.isFinished('a')]).toEqual([1, true]);
  });

  it('evict forgets the unit when it is Finished, also when asked for afterwards', async () => {
    const { create, terminate, supervisor } = setUp();
    await Promise.all([create('a'), create('b')]);
    void supervisor.updateProcess({ id: 'a', updateType: 'terminate', terminateOptions: { evict: true } });
    await supervisor.whenFinished('a');
    await terminate('b');
    await supervisor.whenFinished('b');
    await supervisor.updateProcess({ id: 'b', updateType: 'terminate', terminateOptions: { evict: true } });
    expect([supervisor.getProcessStatus('a'), supervisor.getProcessStatus('b')]).toEqual([undefined, undefined]);
  });

  it('a listener of `finished` may create the unit anew at once, also when it was to be forgotten', async () => {
    const { create, supervisor, clock } = setUp();
    await create('a');
    const off = supervisor.on('finished', () => {
      off();
      void create('a', 'c2');
    });
    void supervisor.updateProcess({ id: 'a', updateType: 'terminate', terminateOptions: { evict: true } });
    await clock.flush();
    expect(supervisor.getProcessStatus('a')).toMatchObject({ state: 'Syncing', generation: 2 });
  });

  it('ending hooks that fail are retried with backoff, and reports reach whoever asked', async () => {
    const { create, supervisor, syncer, clock } = setUp({ random: () => 0.5 });
    await create('a');
    let attempts = 0;
    syncer.onTerminating = (ctx) => {
      ctx.report(`attempt ${++attempts}`);
      if (attempts < 3) throw new Error('still running');
    };
    let cleanups = 0;
    syncer.onTerminated = () => {
      if (++cleanups < 2) throw new Error('busy');
    };
    const heard: unknown[] = [];
    const ended = supervisor.updateProcess({ id: 'a', updateType: 'terminate', terminateOptions: { gracePeriod: '2s', onStatus: (status) => heard.push(status) } });
    await clock.advance(10_000);
    await ended;
    expect(supervisor.isFinished('a')).toBe(true);
    expect(heard).toEqual(['attempt 1', 'attempt 2', 'attempt 3']);
    expect(gaps(syncer.terminating.map(({ at }) => at))).toEqual([1000, 2000]);
    expect(syncer.terminating.map(({ grace }) => grace)).toEqual([2000, 1000, 0]);
  });

  it('an unknown id without a config, and options that do not exist, are refused by name', () => {
    const { supervisor } = setUp();
    expect(() => supervisor.updateProcess({ id: 'x', updateType: 'terminate' })).toThrow(UnitNotFoundError);
    expect(() => supervisor.updateProcess({ id: 'x', updateType: 'update' })).toThrow(UnitNotFoundError);
    expect(() => supervisor.updateProcess({ id: 'x', updateType: 'create', config: 'c', restartPolicy: { maxRestart: 1 } as never })).toThrow(/maxRestart'; did you mean 'maxRestarts'/);
    expect(() => supervisor.updateProcess({ id: 'x', updateType: 'terminate', config: 'c', terminateOptions: { grace: 1 } as never })).toThrow(UnknownOptionError);
    expect(() => supervisor.updateProcess({ id: 'x', updateType: 'terminate', config: 'c', terminateOptions: { gracePeriod: 'soon' } })).toThrow(InvalidOptionError);
    expect(() => new Supervisor({ syncer: undefined as never })).toThrow(InvalidOptionError);
    expect(supervisor.health().totalProcesses).toBe(0);
  });

  it('a unit that is only known to end gets its ending hooks (an orphan of an earlier run)', async () => {
    const { supervisor, syncer } = setUp();
    await supervisor.updateProcess({ id: 'old', updateType: 'terminate', config: 'c' });
    await supervisor.whenFinished('old');
    expect([syncer.syncs.length, syncer.terminating.length, syncer.terminated.length]).toEqual([0, 1, 1]);
  });

  it('fifty units come and go at the same time (HighChurn)', async () => {
    const { create, terminate, supervisor, clock, syncer } = setUp();
    syncer.onSync = ({ signal }) => clock.sleep(Math.random() * 50, signal);
    const ids = Array.from({ length: 50 }, (_, i) => `u${i}`);
    const all = ids.flatMap((id) => [create(id), terminate(id), create(id)]);
    await clock.advance(200);
    await Promise.all(all);
    expect(supervisor.health()).toMatchObject({ totalProcesses: 50, runningProcesses: 50 });
  });
});

describe('retries and resyncs', () => {
  it('10. persistent errors are retried after min(1s·2^n, cap) ±25 %, the first after the base (ExponentialBackoff)', async () => {
    const { create, syncer, clock } = setUp({ backOffPeriod: '5s' });
    syncer.onSync = () => Promise.reject(new Error('no'));
    void create('a');
    await clock.advance(40_000);
    const delays = gaps(syncer.syncs.map(({ at }) => at));
    for (const [n, delay] of delays.entries()) {
      const plain = Math.min(1000 * 2 ** n, 5000);
      expect(delay).toBeGreaterThanOrEqual(plain * 0.75);
      expect(delay).toBeLessThanOrEqual(plain * 1.25);
    }
    expect(delays.length).toBeGreaterThan(6);
    expect(syncer.syncs[1]).toMatchObject({ cause: 'retry', updateType: 'sync', config: 'c1' });
  });

  it('10. an aborted attempt is tried again within 0.5 to 1.5 s, also when the abort is only the cause (TransientError)', async () => {
    const { create, syncer, clock } = setUp({ backOffPeriod: '10s' });
    syncer.onSync = () => Promise.reject(new Error('probe', { cause: new DOMException('late', 'TimeoutError') }));
    void create('a');
    await clock.advance(20_000);
    for (const delay of gaps(syncer.syncs.map(({ at }) => at))) expect(delay >= 500 && delay <= 1500).toBe(true);
    expect(syncer.syncs.length).toBeGreaterThan(10);
  });

  it('an error is counted and shown, and a success clears the count (SyncError, WorkQueueRetry)', async () => {
    const { create, syncer, clock, supervisor } = setUp();
    const errors = [new Error('first'), new Error('second')];
    syncer.onSync = () => {
      const error = errors.shift();
      if (error) throw error;
    };
    const created = create('a');
    await clock.flush();
    expect(supervisor.getProcessStatus('a')).toMatchObject({ state: 'Starting', healthy: false, errorCount: 1, lastError: { message: 'first' } });
    await clock.advance(5000);
    expect(await created).toMatchObject({ state: 'Syncing', healthy: true, errorCount: 0 });
  });

  it('12. six failures make it failed and unhealthy; five are neither (HealthWithErrors)', async () => {
    const { create, syncer, clock, supervisor } = setUp({ backOffPeriod: 1000, random: () => 0.5 });
    syncer.onSync = () => Promise.reject(new Error('no'));
    void create('a');
    await clock.advance(4000);
    expect([supervisor.getProcessStatus('a')?.errorCount, supervisor.health().failedProcesses]).toEqual([5, 0]);
    await clock.advance(1000);
    expect(supervisor.health()).toMatchObject({ failedProcesses: 1, processes: { a: { healthy: false, errorCount: 6 } } });
  });

  it('a unit is synced again at each resync interval ±10 % (PeriodicResync)', async () => {
    const { create, syncer, clock, supervisor } = setUp({ resyncInterval: 500 });
    await create('a');
    await clock.advance(5000);
    const delays = gaps(syncer.syncs.map(({ at }) => at));
    expect(delays.length).toBeGreaterThan(7);
    for (const delay of delays) expect(delay >= 450 && delay <= 550).toBe(true);
    expect(syncer.syncs[1]).toMatchObject({ updateType: 'sync', cause: 'resync' });
    expect([supervisor.health().workQueueDepth, clock.pending]).toEqual([1, 1]);
  });

  it('an update does not wait for the backoff of the failure before it', async () => {
    const { create, syncer, clock, supervisor } = setUp();
    syncer.onSync = (_ctx, _type, config) => {
      if (config === 'bad') throw new Error('bad config');
    };
    const created = create('a', 'bad');
    await clock.flush();
    await supervisor.updateProcess({ id: 'a', updateType: 'update', config: 'good' });
    expect(syncer.syncs.map(({ at }) => at)).toEqual([1_000_000, 1_000_000]);
    expect((await created).state).toBe('Syncing');
  });
});

describe('deaths and the restart policy', () => {
  it('a death is healed by a sync after the policy’s delay, and counted', async () => {
    const { supervisor, syncer, clock } = setUp({ random: () => 0.5, restartPolicy: { backoff: { initial: 300 } } });
    await supervisor.updateProcess({ id: 'a', updateType: 'create', config: 'c1' });
    const restarts: number[] = [];
    supervisor.on('restart', ({ restartCount }) => restarts.push(restartCount));
    expect(supervisor.notifyExit('a', { error: new Error('SIGKILL') })).toBe(true);
    expect(supervisor.notifyExit('a')).toBe(false);
    expect(supervisor.getProcessStatus('a')).toMatchObject({ state: 'Syncing', healthy: false, down: true, errorCount: 1, nextSyncAt: clock.now() + 300 });
    await clock.advance(299);
    expect(syncer.syncs).toHaveLength(1);
    await clock.advance(1);
    expect(syncer.syncs[1]).toMatchObject({ cause: 'restart', updateType: 'sync', generation: 1 });
    expect(supervisor.getProcessStatus('a')).toMatchObject({ healthy: true, down: false, restartCount: 1, errorCount: 0 });
    expect(restarts).toEqual([1]);
  });

  it('a restart delay longer than the resync is not cut short by the resync', async () => {
    const { create, supervisor, syncer, clock } = setUp({ resyncInterval: 1000, restartPolicy: { backoff: { initial: '20s', jitter: 0 } } });
    await create('a');
    supervisor.notifyExit('a');
    await clock.advance(19_000);
    expect(syncer.syncs).toHaveLength(1);
    await clock.advance(1000);
    expect(syncer.syncs).toHaveLength(2);
  });

  it('19. five failed attempts in a row are the end, with the reason, and there is no sixth; a create clears it (MaxErrorsTerminal)', async () => {
    const { create, supervisor, syncer, clock } = setUp({ restartPolicy: { backoff: { initial: 10 } } });
    syncer.onSync = () => Promise.reject(new Error('unhealthy'));
    const created = create('a');
    await clock.advance(600_000);
    expect(syncer.syncs).toHaveLength(5);
    const status = await created;
    expect(status).toMatchObject({ endReason: 'circuit-open', errorCount: 5 });
    expect(status.lastError).toBeInstanceOf(RestartsExhaustedError);
    expect(status.lastError?.cause).toMatchObject({ message: 'unhealthy' });
    expect(supervisor.health()).toMatchObject({ failedProcesses: 1, processes: { a: { state: 'Finished' } } });
    expect(clock.pending).toBe(0);
    syncer.onSync = () => undefined;
    expect(await create('a')).toMatchObject({ state: 'Syncing', generation: 2, errorCount: 0, endReason: undefined });
  });

  it('a death between starts that fail is no failed start: the breaker counts those in a row only', async () => {
    const { create, supervisor, syncer, clock } = setUp({ random: () => 0.5, restartPolicy: { maxRestarts: Infinity, backoff: { initial: 10, max: 10 } } });
    let attempt = 0;
    syncer.onSync = () => {
      if (++attempt % 2 === 0) throw new Error('start failed');
    };
    void create('a');
    for (let i = 0; i < 10; i++) {
      await clock.advance(20);
      supervisor.notifyExit('a', { error: new Error('died') });
    }
    expect(attempt).toBeGreaterThanOrEqual(10);
    expect(supervisor.getProcessStatus('a')).toMatchObject({ state: 'Syncing', endReason: undefined });
    syncer.onSync = () => Promise.reject(new Error('start failed'));
    await clock.advance(200);
    expect(supervisor.getProcessStatus('a')?.endReason).toBe('circuit-open');
  });

  it('deaths that their owner counts as failed starts open the breaker', async () => {
    const { create, supervisor, clock } = setUp({ restartPolicy: { maxRestarts: Infinity, backoff: { initial: 10, max: 10 } } });
    await create('a');
    for (let i = 0; i < 5; i++) {
      supervisor.notifyExit('a', { error: new Error('died'), start: true });
      await clock.advance(20);
    }
    expect(supervisor.getProcessStatus('a')).toMatchObject({ endReason: 'circuit-open', restartCount: 4 });
  });

  it('a unit that heals rests when a limit is met, is told with limit and reason, and is tried again for ever', async () => {
    const { supervisor, syncer, clock } = setUp({ random: () => 0.5 });
    const told: unknown[] = [];
    supervisor.on('failure', ({ retryIn, limit, why }) => told.push([retryIn, limit, why]));
    await supervisor.updateProcess({ id: 'a', updateType: 'create', config: 'c', heals: true, restartPolicy: { maxRestarts: 2, backoff: { initial: 100, max: 1000 } } });
    for (let i = 0; i < 6; i++) {
      supervisor.notifyExit('a', { error: new Error('died') });
      await clock.advance(1000);
      expect(supervisor.getProcessStatus('a')).toMatchObject({ state: 'Syncing', down: false, restartCount: i + 1 });
    }
    const used = '2 restarts within 60000 ms are used up (maxRestarts)';
    expect(told).toEqual([[100, undefined, undefined], [200, undefined, undefined], [400, 'maxRestarts', used], [800, 'maxRestarts', used], [1000, 'maxRestarts', used], [1000, 'maxRestarts', used]]);
    syncer.onSync = () => Promise.reject(new Error('start failed'));
    supervisor.notifyExit('a', { error: new Error('died') });
    await clock.advance(120_000);
    expect(supervisor.getProcessStatus('a')).toMatchObject({ state: 'Syncing', endReason: undefined });
    expect(told.at(-1)).toEqual([1000, 'maxFailures', '5 starts in a row failed (maxFailures)']);
    syncer.onSync = () => undefined;
    await clock.advance(1000);
    expect(supervisor.getProcessStatus('a')).toMatchObject({ healthy: true, down: false });
  });

  it('deaths after a stable time are forgiven by the breaker, but not by maxRestarts in the window', async () => {
    const { create, supervisor, clock } = setUp({ restartPolicy: { maxRestarts: 3, window: '60s', stableAfter: '5s', backoff: { initial: 1, max: 1 } } });
    await create('a');
    for (let i = 0; i < 4; i++) {
      await clock.advance(6000);
      supervisor.notifyExit('a', { error: new Error('died') });
    }
    await clock.flush();
    expect(supervisor.getProcessStatus('a')).toMatchObject({ endReason: 'max-restarts', restartCount: 3 });
    expect(supervisor.getProcessStatus('a')?.lastError).toBeInstanceOf(RestartsExhaustedError);
  });

  it('transient units stay down after a clean end, temporary ones after any', async () => {
    const { supervisor, clock, syncer } = setUp();
    await supervisor.updateProcess({ id: 'a', updateType: 'create', config: 'c', restartPolicy: { type: 'transient' } });
    await supervisor.updateProcess({ id: 'b', updateType: 'create', config: 'c', restartPolicy: { enabled: false } });
    const error = new Error('died');
    supervisor.notifyExit('a', { clean: true });
    supervisor.notifyExit('b', { error });
    await clock.advance(60_000);
    expect(supervisor.getProcessStatus('a')).toMatchObject({ state: 'Finished', endReason: 'completed', lastError: undefined });
    expect(supervisor.getProcessStatus('b')).toMatchObject({ state: 'Finished', endReason: 'not-restarted', lastError: error });
    expect([syncer.syncs.length, syncer.terminating.length]).toEqual([2, 2]);
  });

  it('a resync that is due at the moment of the death does not cut the restart delay short', async () => {
    // b is due at the same time as a: when the queue is empty, a has been told that it is due, but has not begun.
    const { create, supervisor, syncer, clock } = setUp({
      resyncInterval: 1000,
      random: () => 0.5,
      restartPolicy: { backoff: { initial: '5s', jitter: 0 } },
      metrics: { workQueueDepth: (depth) => void (depth === 0 && clock.now() === 1_001_000 && supervisor.notifyExit('a')) },
    });
    await Promise.all([create('a'), create('b')]);
    const ofA = () => syncer.syncs.filter(({ id }) => id === 'a').map(({ at, cause }) => `${cause} ${at - 1_000_000}`);
    await clock.advance(1000 + 5000);
    expect(ofA()).toEqual(['update 0', 'restart 6000']);
  });

  it('a death during a sync aborts that sync and counts once', async () => {
    const { create, supervisor, syncer, clock } = setUp({ restartPolicy: { backoff: { initial: 100, jitter: 0 } } });
    await create('a');
    syncer.onSync = ({ signal }) => clock.sleep(60_000, signal);
    void supervisor.updateProcess({ id: 'a', updateType: 'sync' });
    await clock.advance(10);
    expect(supervisor.notifyExit('a', { error: new Error('died') })).toBe(true);
    await clock.flush();
    expect(supervisor.getProcessStatus('a')).toMatchObject({ down: true, errorCount: 1, lastError: { message: 'died' }, nextSyncAt: clock.now() + 100 });
    syncer.onSync = () => undefined;
    await clock.advance(100);
    expect(supervisor.getProcessStatus('a')).toMatchObject({ down: false, restartCount: 1 });
  });

  it('reports about an earlier generation, an unknown or an ending unit are not heard', async () => {
    const { create, terminate, supervisor } = setUp();
    await create('a');
    await terminate('a');
    await create('a');
    expect(supervisor.notifyExit('a', { generation: 1 })).toBe(false);
    expect(supervisor.notifyExit('zzz')).toBe(false);
    void terminate('a');
    expect(supervisor.notifyExit('a')).toBe(false);
  });

  it('without a policy a dead unit is retried for ever, slower while it keeps dying', async () => {
    const { create, supervisor, syncer, clock } = setUp({ backOffPeriod: '4s', random: () => 0.5 });
    await create('a');
    for (let i = 0; i < 20; i++) {
      supervisor.notifyExit('a', { error: new Error('died') });
      await clock.advance(4000);
    }
    expect(gaps(syncer.syncs.map(({ at }) => at)).slice(0, 4)).toEqual([1000, 5000, 6000, 4000]);
    expect(supervisor.getProcessStatus('a')).toMatchObject({ state: 'Syncing', restartCount: 20 });
  });
});

describe('shutdown', () => {
  it('7. ends all units before it resolves, and leaves no timer (Shutdown)', async () => {
    const { create, supervisor, syncer, clock } = setUp();
    syncer.onTerminating = () => clock.sleep(200);
    await Promise.all(['1', '2', '3', '4', '5'].map((id) => create(id)));
    const down = supervisor.shutdown();
    await clock.advance(200);
    await down;
    expect(syncer.terminated).toHaveLength(5);
    expect(Object.values(supervisor.health().processes).every(({ state }) => state === 'Finished')).toBe(true);
    expect(clock.pending).toBe(0);
    expect(() => create('6')).toThrow(ProcessStoppedError);
    await supervisor.shutdown();
  });

  it('8. a 10 s hook and a 1 s deadline: an error that names what is left, and the hook is told to kill (ShutdownTimeout)', async () => {
    const { create, supervisor, syncer, clock } = setUp();
    let told = false;
    syncer.onTerminating = async ({ id, signal }) => {
      if (id === 'slow') await clock.sleep(10_000, signal).catch(() => (told = true));
    };
    await Promise.all([create('slow'), create('quick')]);
    const deadline = new AbortController();
    const down = supervisor.shutdown({ signal: deadline.signal }).catch((error: unknown) => error);
    await clock.advance(1000);
    deadline.abort(new DOMException('1 s is over', 'TimeoutError'));
    const error = (await down) as ShutdownIncompleteError;
    expect(error).toBeInstanceOf(ShutdownIncompleteError);
    expect(error).toMatchObject({ left: [{ name: 'slow', why: 'its phase is Terminating' }], cause: { name: 'TimeoutError' } });
    await clock.flush();
    expect([told, supervisor.isFinished('slow')]).toEqual([true, true]);
    await supervisor.shutdown();
  });

  it('a create that waited for the end of its forerunner is dropped, and its promise resolves', async () => {
    const { create, terminate, supervisor, syncer, clock } = setUp();
    await create('a');
    syncer.onTerminating = () => clock.sleep(100);
    const all = [terminate('a'), create('a')];
    const down = supervisor.shutdown();
    await clock.advance(100);
    await Promise.all([...all, down]);
    expect(syncer.syncs).toHaveLength(1);
  });

  it('`await using` shuts down', async () => {
    const { syncer, clock } = setUp();
    {
      await using supervisor = new Supervisor<string>({ syncer, clock });
      await supervisor.updateProcess({ id: 'a', updateType: 'create', config: 'c' });
    }
    expect(syncer.terminated).toEqual([{ id: 'a', config: 'c' }]);
  });
});

describe('many units', () => {
  it('ten thousand idle units have one timer between them, and are synced at their own times', async () => {
    const { create, supervisor, syncer, clock } = setUp({ resyncInterval: '30s' });
    await Promise.all(Array.from({ length: 10_000 }, (_, i) => create(`u${i}`)));
    expect([clock.pending, supervisor.health().runningProcesses]).toEqual([1, 10_000]);
    await clock.advance(27_100);
    expect(syncer.syncs.length).toBeGreaterThan(10_000);
    expect(syncer.syncs.length).toBeLessThan(11_000);
    expect(clock.pending).toBe(1);
    await supervisor.shutdown();
    expect(clock.pending).toBe(0);
  });
});

describe('listeners', () => {
  it('listeners and collectors that throw or reject break nothing, and are heard of', async () => {
    const heard: string[] = [];
    const thrower = () => {
      throw new Error('listener');
    };
    const { create, terminate, supervisor, syncer } = setUp({
      onError: (error, where) => {
        heard.push(`${where}: ${(error as Error).message}`);
        throw new Error('even this');
      },
      metrics: { processStateTransition: thrower, workQueueDepth: thrower, processSyncDuration: thrower },
    });
    const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    supervisor.on('transition', thrower);
    supervisor.on('synced', () => Promise.reject(new Error('later')));
    syncer.onTerminating = (ctx) => ctx.report('x');
    await create('a');
    await supervisor.updateProcess({ id: 'a', updateType: 'terminate', terminateOptions: { onStatus: thrower } });
    await terminate('a');
    await supervisor.whenFinished('a');
    expect(heard).toEqual(expect.arrayContaining(["a listener of 'transition': listener", "a listener of 'synced': later", 'the metrics hook workQueueDepth: listener', 'onStatus: listener']));
    expect(warnings).toHaveBeenCalled();
    warnings.mockRestore();
  });

  it('`on` hands back the way to stop listening, and a listener may end the unit that it hears of', async () => {
    const { create, supervisor, terminate } = setUp();
    let heard = 0;
    const off = supervisor.on('synced', () => void heard++);
    const offEnd = supervisor.on('synced', ({ id }) => terminate(id));
    await create('a');
    await supervisor.whenFinished('a');
    off();
    offEnd();
    expect((await create('b')).state).toBe('Syncing');
    expect([heard, supervisor.isFinished('a')]).toEqual([1, true]);
  });
});
