// The seed's IsolationManager over a Supervisor: its ten behaviours, and those that its original lacks.
import { describe, expect, it, vi } from 'vitest';
import { InvalidOptionError, RestartsExhaustedError, ShutdownIncompleteError, UnitNotFoundError, UnknownOptionError } from '../../src/errors.js';
import { IsolationManager, type IsolationLevel, type IsolationManagerOptions } from '../../src/isolation/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { RecordingSyncer } from '../supervisor/helpers.js';

function setUp(level: IsolationLevel, options: IsolationManagerOptions = {}) {
  const clock = new FakeClock(1_000_000);
  const syncer = new RecordingSyncer(clock);
  const isolation = new IsolationManager<string>(level, syncer, { clock, ...options });
  const ids = () => isolation.listProcesses().map(({ id }) => id);
  const get = (namespace: string, session = 's1', config = 'c1') => isolation.getOrCreateProcess({ namespace, session }, config);
  return { clock, syncer, isolation, ids, get };
}

describe('IsolationManager', () => {
  it('none: all share one process', async () => {
    const { get, syncer, isolation } = setUp('none');
    expect([(await get('a', '1')).id, (await get('b', '1')).id, (await get('a', '3')).id]).toEqual(['shared', 'shared', 'shared']);
    expect(syncer.syncs).toHaveLength(1);
    expect(isolation.level).toBe('none');
  });

  it('namespace: a process each', async () => {
    const { get, syncer } = setUp('namespace');
    expect([(await get('ns1')).id, (await get('ns2')).id, (await get('ns1', 's3')).id]).toEqual(['ns:ns1', 'ns:ns2', 'ns:ns1']);
    expect(syncer.syncs).toHaveLength(2);
  });

  it('session: a process each, whatever the namespace', async () => {
    const { get } = setUp('session');
    expect([(await get('t1', 's1')).id, (await get('t1', 's2')).id, (await get('t2', 's1')).id]).toEqual(['session:s1', 'session:s2', 'session:s1']);
  });

  it('gives a handle with id, key, config and health; the first config counts while the process runs', async () => {
    const { get, isolation } = setUp('namespace');
    await get('a', 's1', 'first');
    const handle = await get('a', 's2', 'second');
    expect({ ...handle }).toEqual({ id: 'ns:a', key: { namespace: 'a', session: 's2' }, config: 'first', health: true });
    await isolation.terminateProcess({ namespace: 'a' });
    expect(handle.health).toBe(false);
  });

  it('getProcess finds what runs and nothing else; listProcesses lists it', async () => {
    const { get, isolation, ids } = setUp('namespace');
    expect(isolation.getProcess({ namespace: 'a' })).toBeUndefined();
    expect(ids()).toEqual([]);
    for (const namespace of ['a', 'b', 'c']) await get(namespace);
    expect(isolation.getProcess({ namespace: 'a' })).toMatchObject({ id: 'ns:a', health: true });
    expect(ids()).toEqual(['ns:a', 'ns:b', 'ns:c']);
  });

  it('terminateProcess ends one with its grace, and refuses what it does not know', async () => {
    const { get, isolation, syncer, ids } = setUp('namespace');
    await get('a');
    await get('b');
    await isolation.terminateProcess({ namespace: 'a' }, '4s');
    expect(syncer.terminating).toMatchObject([{ id: 'ns:a', grace: 4000, config: 'c1' }]);
    expect(syncer.terminated).toEqual([{ id: 'ns:a', config: 'c1' }]);
    expect(ids()).toEqual(['ns:b']);
    await expect(isolation.terminateProcess({ namespace: 'a' })).rejects.toThrow(UnitNotFoundError);
  });

  it('health is that of all processes', async () => {
    const { get, isolation } = setUp('namespace');
    await get('a');
    await get('b');
    expect(isolation.health()).toMatchObject({ totalProcesses: 2, runningProcesses: 2, failedProcesses: 0, processes: { 'ns:a': { state: 'Syncing', healthy: true } } });
  });

  it('15. twenty concurrent callers of one key start exactly one process and share it (ConcurrentLaunches)', async () => {
    const { get, syncer, clock } = setUp('namespace');
    syncer.onSync = () => clock.sleep(300);
    const all = Promise.all(Array.from({ length: 20 }, (_, i) => get('a', `s${i}`)));
    await clock.advance(300);
    expect(new Set((await all).map(({ id }) => id))).toEqual(new Set(['ns:a']));
    expect(syncer.syncs).toHaveLength(1);
  });

  it('ten different keys at a time start ten processes (ConcurrentAccess)', async () => {
    const { get, syncer, ids } = setUp('namespace');
    await Promise.all(Array.from({ length: 10 }, (_, i) => get(`n${i}`)));
    expect(syncer.syncs).toHaveLength(10);
    expect(ids()).toHaveLength(10);
  });

  it('16. a failed creation rejects at once with its cause, leaves nothing listed, and the next call retries with its own config', async () => {
    const { get, syncer, isolation, ids, clock } = setUp('namespace');
    const cause = new Error('no such backend');
    syncer.onSync = (_ctx, _type, config) => {
      if (config === 'bad') throw cause;
    };
    const before = clock.now();
    const failures = await Promise.allSettled([get('a', 's1', 'bad'), get('a', 's2', 'bad')]);
    expect(failures.map((failure) => (failure as PromiseRejectedResult).reason)).toEqual([cause, cause]);
    expect(clock.now()).toBe(before);
    expect(syncer.syncs).toHaveLength(1);
    expect([ids(), isolation.getProcess({ namespace: 'a' }), isolation.health().totalProcesses]).toEqual([[], undefined, 0]);
    expect(await get('a', 's1', 'good')).toMatchObject({ config: 'good', health: true });
  });

  it('9. comes back after termination, as a new generation; a creation during termination waits for it', async () => {
    const { get, syncer, isolation, clock } = setUp('namespace');
    await get('a', 's', 'first');
    syncer.onTerminating = () => clock.sleep(500);
    const ended = isolation.terminateProcess({ namespace: 'a' });
    const again = get('a', 's', 'second');
    await clock.advance(499);
    expect(syncer.syncs).toHaveLength(1);
    await clock.advance(1);
    await ended;
    expect(await again).toMatchObject({ config: 'second', health: true });
    expect(syncer.terminated).toHaveLength(1);
  });

  it('a termination during creation cuts it short, and its callers hear so', async () => {
    const { get, syncer, isolation, ids, clock } = setUp('namespace');
    syncer.onSync = ({ signal }) => clock.sleep(60_000, signal);
    const starting = get('a');
    await clock.flush();
    await isolation.terminateProcess({ namespace: 'a' });
    await expect(starting).rejects.toMatchObject({ code: 'PROCESS_STOPPED', message: 'ns:a: it was ended while it started' });
    expect(syncer.terminated).toHaveLength(1);
    expect(ids()).toEqual([]);
  });

  it('a death is restarted under its own policy and touches no other key', async () => {
    const { get, syncer, isolation, clock } = setUp('namespace', { restartPolicy: { backoff: { initial: 100, jitter: 0 } } });
    await get('a');
    await get('b');
    expect(isolation.notifyExit({ namespace: 'a' }, { error: new Error('boom') })).toBe(true);
    expect(isolation.getProcess({ namespace: 'a' })!.health).toBe(false);
    expect(isolation.getProcess({ namespace: 'b' })!.health).toBe(true);
    await clock.advance(100);
    expect(isolation.getProcess({ namespace: 'a' })!.health).toBe(true);
    expect(syncer.syncs.map(({ id, cause }) => `${id} ${cause}`)).toEqual(['ns:a update', 'ns:b update', 'ns:a restart']);
  });

  it('a key that was given up is refused with the reason while it cools down, then tried afresh', async () => {
    const { get, isolation, clock } = setUp('namespace', { cooldown: '10s', restartPolicy: { maxRestarts: 0 } });
    await get('a');
    await get('b');
    isolation.notifyExit({ namespace: 'a' }, { error: new Error('boom') });
    await clock.flush();
    await expect(get('a')).rejects.toThrow(RestartsExhaustedError);
    expect(isolation.status()).toMatchObject([{ id: 'ns:a', state: 'failed', error: { code: 'RESTARTS_EXHAUSTED' } }, { id: 'ns:b', state: 'running' }]);
    expect((await get('b')).health).toBe(true);
    await clock.advance(10_000);
    expect((await get('a')).health).toBe(true);
  });

  it('terminating a key that was given up clears it at once', async () => {
    const { get, isolation, clock } = setUp('namespace', { restartPolicy: { type: 'temporary' } });
    await get('a');
    isolation.notifyExit({ namespace: 'a' }, { error: new Error('boom') });
    await clock.flush();
    await isolation.terminateProcess({ namespace: 'a' });
    expect((await get('a')).health).toBe(true);
  });

  it('a process that says it is done is no longer listed', async () => {
    const { get, syncer, ids, clock } = setUp('namespace', { resyncInterval: 1000 });
    await get('a');
    syncer.onSync = () => ({ terminal: true });
    await clock.advance(1200);
    expect(ids()).toEqual([]);
    syncer.onSync = () => undefined;
    expect((await get('a')).health).toBe(true);
  });

  it('shutdown ends all at the same time and refuses what comes after', async () => {
    const { get, syncer, isolation, clock, ids } = setUp('namespace');
    for (const namespace of ['a', 'b', 'c']) await get(namespace);
    syncer.onTerminating = () => clock.sleep(1000);
    const down = isolation.shutdown();
    await clock.advance(1000);
    await down;
    expect(syncer.terminated).toHaveLength(3);
    expect(ids()).toEqual([]);
    expect(clock.pending).toBe(0);
    await expect(get('a')).rejects.toMatchObject({ code: 'PROCESS_STOPPED' });
  });

  it('8. shutdown with a deadline says what is left (ShutdownTimeout)', async () => {
    const { get, syncer, isolation, clock } = setUp('namespace');
    await get('a');
    syncer.onTerminating = () => clock.sleep(10_000);
    const controller = new AbortController();
    const down = isolation.shutdown({ signal: controller.signal });
    const refused = expect(down).rejects.toThrow(ShutdownIncompleteError);
    await clock.flush();
    controller.abort(new Error('deadline'));
    await refused;
    await clock.advance(10_000);
  });

  it('refuses levels and options that it does not know', () => {
    expect(() => setUp('tenant' as never)).toThrow(InvalidOptionError);
    expect(() => setUp('namespace', { idleTimout: 5 } as never)).toThrow(UnknownOptionError);
    for (const options of [{ idleTimeout: 0 }, { maxProcesses: 0 }, { maxProcesses: 1.5 }, { cooldown: 'soon' }]) expect(() => setUp('none', options)).toThrow(InvalidOptionError);
  });
});

describe('eviction', () => {
  it('ends a key that was idle for idleTimeout, with one timer for all keys, and brings it back on demand', async () => {
    const { get, isolation, syncer, ids, clock } = setUp('namespace', { idleTimeout: '10s', resyncInterval: Infinity });
    const stops: string[] = [];
    isolation.on('stop', ({ id, reason }) => stops.push(`${id} ${reason}`));
    await get('a');
    await get('b');
    expect(clock.pending).toBe(1);
    await clock.advance(6000);
    await get('a');
    await clock.advance(4000);
    expect(ids()).toEqual(['ns:a']);
    await clock.advance(6000);
    expect(ids()).toEqual([]);
    expect(stops).toEqual(['ns:b idle', 'ns:a idle']);
    expect(clock.pending).toBe(0);
    expect((await get('a')).health).toBe(true);
    expect(syncer.syncs.filter(({ id }) => id === 'ns:a')).toHaveLength(2);
  });

  it('does not end a busy key, however long it was not asked for', async () => {
    const busy = new Set(['ns:a']);
    const { get, ids, clock } = setUp('namespace', { idleTimeout: '10s', busy: (id) => busy.has(id) });
    await get('a');
    await clock.advance(60_000);
    expect(ids()).toEqual(['ns:a']);
    busy.clear();
    await clock.advance(10_000);
    expect(ids()).toEqual([]);
  });

  it('ends the least recently used key when maxProcesses is reached, and starts the new one only then', async () => {
    const { get, syncer, ids, clock } = setUp('namespace', { maxProcesses: 2 });
    await get('a');
    await get('b');
    await clock.advance(10);
    await get('a');
    syncer.onTerminating = () => clock.sleep(300);
    const c = get('c');
    await clock.advance(299);
    expect(syncer.syncs.map(({ id }) => id)).toEqual(['ns:a', 'ns:b']);
    await clock.advance(1);
    await c;
    expect(ids().sort()).toEqual(['ns:a', 'ns:c']);
    expect(syncer.terminating).toMatchObject([{ id: 'ns:b' }]);
  });

  it('refuses a new key with a coded error when all are busy; those that run are still given', async () => {
    const { get, ids } = setUp('namespace', { maxProcesses: 2, busy: () => true });
    await get('a');
    await get('b');
    await expect(get('c')).rejects.toMatchObject({ code: 'ISOLATION_FULL', id: 'ns:c', maxProcesses: 2, message: 'ns:c: all 2 processes (maxProcesses) are at work or starting; none can be ended for it' });
    expect((await get('a')).health).toBe(true);
    expect(ids().sort()).toEqual(['ns:a', 'ns:b']);
  });

  it('several new keys at a time each take the place of another one, and there are never more than maxProcesses', async () => {
    const { get, syncer, isolation, clock } = setUp('namespace', { maxProcesses: 3 });
    let up = 0;
    let most = 0;
    syncer.onSync = () => void (most = Math.max(most, ++up));
    syncer.onTerminating = async () => {
      await clock.sleep(50);
      up--;
    };
    for (const namespace of ['a', 'b', 'c']) await get(namespace);
    await clock.flush();
    const all = Promise.all(['d', 'e', 'f'].map((namespace) => get(namespace)));
    await clock.advance(50);
    expect((await all).map(({ id, health }) => `${id} ${health}`)).toEqual(['ns:d true', 'ns:e true', 'ns:f true']);
    expect(most).toBe(3);
    const down = isolation.shutdown();
    await clock.advance(50);
    await down;
  });

  it('a place that a failed start leaves is free again', async () => {
    const { get, syncer } = setUp('namespace', { maxProcesses: 1, busy: () => true });
    syncer.onSync = () => Promise.reject(new Error('no'));
    await expect(get('a')).rejects.toThrow('no');
    syncer.onSync = () => undefined;
    expect((await get('b')).health).toBe(true);
  });

  it('what listeners throw goes to onError', async () => {
    const onError = vi.fn();
    const { get, isolation } = setUp('namespace', { onError });
    isolation.on('start', () => {
      throw new Error('mine');
    });
    expect((await get('a')).health).toBe(true);
    expect(onError).toHaveBeenCalledWith(new Error('mine'), "a listener of 'start'");
  });
});
