// pm.isolate over real threads and children: a process for each key, apart from all the others.
import { createProcessManager, InitError, InvalidOptionError, ProcessStartError, RestartsExhaustedError, UnitNotFoundError, UnknownOptionError, UnsupportedOptionError, type IsolateOptions } from 'mimas';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from '../helpers/temporary.js';
import type Tenant from '../fixtures/manager/tenant.process.js';

const FILE = new URL('../fixtures/manager/tenant.process.ts', import.meta.url);
// Real processes, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
const managers: { shutdown(): Promise<void> }[] = [];

function setUp(options: IsolateOptions = {}) {
  const pm = createProcessManager({ output: 'capture', restartPolicy: { backoff: { initial: 20 } } });
  managers.push(pm);
  return { pm, tenants: pm.isolate<Tenant>(FILE, options) };
}

afterEach(async () => {
  await Promise.all(managers.splice(0).map((pm) => pm.shutdown()));
});

const alive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

async function until(condition: () => unknown): Promise<void> {
  for (let i = 0; i < 3000 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBeTruthy();
}

describe.each(['worker', 'child'] as const)('isolation in a %s', (isolation) => {
  const place = ({ pid, threadId }: { pid: number; threadId: number }) => (isolation === 'child' ? pid : threadId);

  it('14. asked for ns1, ns2, ns1 it starts two processes with the ids ns:ns1 and ns:ns2', async () => {
    const { tenants } = setUp({ isolation });
    const [a, b, again] = [await tenants.get({ namespace: 'ns1' }), await tenants.get({ namespace: 'ns2' }), await tenants.get({ namespace: 'ns1', session: 's3' })];
    const places = (await Promise.all([a.who(), b.who(), again.who()])).map(place);
    expect(new Set(places).size).toBe(2);
    expect(places[0]).toBe(places[2]);
    expect(tenants.list().map(({ id }) => id).sort()).toEqual(['ns:ns1', 'ns:ns2']);
  });

  it('15. twenty concurrent callers of one key start exactly one process and share it', async () => {
    const { tenants, pm } = setUp({ isolation, level: 'session', dependencies: { startMs: 100 } });
    const proxies = await Promise.all(Array.from({ length: 20 }, (_, i) => tenants.get({ session: 's', namespace: `n${i}` })));
    const places = await Promise.all(proxies.map(async (proxy) => place(await proxy.who())));
    expect(new Set(places).size).toBe(1);
    expect(pm.listProcesses()).toHaveLength(1);
    expect(tenants.list()).toMatchObject([{ id: 'session:s', state: 'running', restarts: 0 }]);
  });

  it('a crash under one key touches no other: its calls go on, and only the dead one is started again', async () => {
    const { tenants } = setUp({ isolation });
    const crashes: string[] = [];
    tenants.on('crash', ({ id }) => crashes.push(id));
    const a = await tenants.get({ namespace: 'a' });
    const b = await tenants.get({ namespace: 'b' });
    const before = await b.who();
    const slow = b.sleep(200);
    if (isolation === 'child') process.kill((await a.who()).pid, 'SIGKILL');
    else await expect(a.crash()).rejects.toMatchObject({ code: 'PROCESS_CRASHED' });
    expect(await slow).toBe(200);
    // A call that is sent before the death is heard of would fail, rightly.
    await until(() => crashes.length > 0);
    expect((await a.who()).calls).toBe(1);
    expect(await b.who()).toEqual({ ...before, calls: before.calls + 1 });
    expect(crashes).toEqual(['ns:a']);
    expect(tenants.list().map(({ id, restarts }) => `${id} ${restarts}`).sort()).toEqual(['ns:a 1', 'ns:b 0']);
  });

  it('16. a failed creation rejects with its cause, leaves nothing listed, and the next call retries', async () => {
    let fail: string | undefined = 'no database';
    const { tenants, pm } = setUp({ isolation, perKey: () => ({ dependencies: { fail } }) });
    const results = await Promise.allSettled([tenants.get({ namespace: 'a' }), tenants.get({ namespace: 'a' })]);
    for (const result of results) {
      expect((result as PromiseRejectedResult).reason).toBeInstanceOf(InitError);
      expect((result as PromiseRejectedResult).reason).toMatchObject({ cause: { message: 'no database' } });
    }
    expect(tenants.list()).toEqual([]);
    expect(tenants.peek({ namespace: 'a' })).toBeUndefined();
    expect(pm.listProcesses()).toEqual([]);
    fail = undefined;
    expect(await (await tenants.get({ namespace: 'a' })).greet('you')).toBe('hello, you');
  });

  it('limits, dependencies and metrics are those of each key', async () => {
    const { tenants } = setUp({
      isolation,
      resources: { timeout: '10s' },
      perKey: ({ namespace }) => ({ dependencies: { greeting: namespace }, resources: namespace === 'small' ? { maxMemory: '64MB' } : {} }),
    });
    const small = await tenants.get({ namespace: 'small' });
    const large = await tenants.get({ namespace: 'large' });
    expect([await small.greet('x'), await large.greet('x'), await large.greet('y')]).toEqual(['small, x', 'large, x', 'large, y']);
    await expect(small.hog()).rejects.toMatchObject({ code: 'MEMORY_LIMIT' });
    expect(await large.greet('z')).toBe('large, z');
    const metrics = await tenants.metrics();
    expect(metrics['ns:large']).toMatchObject({ requests: 3, errors: 0 });
    expect(metrics['ns:small']).toMatchObject({ requests: 2, errors: 1 });
  });
});

describe('eviction', () => {
  it('ends an idle key, runs its shutdown hooks, and brings it back on demand as a new process', async () => {
    const { tenants, pm } = setUp({ isolation: 'child', idleTimeout: 150 });
    const stops: string[] = [];
    tenants.on('stop', ({ id, reason }) => stops.push(`${id} ${reason}`));
    const a = await tenants.get({ namespace: 'a' });
    const { pid } = await a.who();
    const handle = a.$handle;
    await until(() => stops.length > 0);
    expect(stops).toEqual(['ns:a idle']);
    expect(alive(pid)).toBe(false);
    expect(handle.logs()).toContain('closed');
    expect(tenants.list()).toEqual([]);
    await expect(a.who()).rejects.toMatchObject({ code: 'PROCESS_STOPPED' });
    const again = await (await tenants.get({ namespace: 'a' })).who();
    expect(again.calls).toBe(1);
    expect(again.pid).not.toBe(pid);
    expect(pm.listProcesses().map(({ status }) => status)).toEqual(['stopped', 'running']);
  });

  it('calls and open streams keep a key from being idle', async () => {
    const { tenants } = setUp({ idleTimeout: 100 });
    const a = await tenants.get({ namespace: 'a' });
    expect(await a.sleep(400)).toBe(400);
    let last = 0;
    for await (const n of a.forever()) if ((last = n) === 50) break;
    expect(last).toBe(50);
    expect(tenants.list()).toMatchObject([{ id: 'ns:a', state: 'running', restarts: 0 }]);
    await until(() => tenants.list().length === 0);
  });

  it('at maxProcesses the least recently used key makes room, by calls as well as by get, and a busy one never does', async () => {
    const { tenants } = setUp({ maxProcesses: 2 });
    const a = await tenants.get({ namespace: 'a' });
    const b = await tenants.get({ namespace: 'b' });
    await a.who();
    await tenants.get({ namespace: 'c' });
    expect(tenants.list().map(({ id }) => id).sort()).toEqual(['ns:a', 'ns:c']);
    await expect(b.who()).rejects.toMatchObject({ code: 'PROCESS_STOPPED' });
    const c = tenants.peek({ namespace: 'c' })!;
    const work = [a.sleep(300), c.sleep(300)];
    await expect(tenants.get({ namespace: 'd' })).rejects.toMatchObject({ code: 'ISOLATION_FULL', id: 'ns:d', maxProcesses: 2 });
    await Promise.all(work);
    await a.who();
    expect(await (await tenants.get({ namespace: 'd' })).greet('d')).toBe('hello, d');
    expect(tenants.list().map(({ id }) => id).sort()).toEqual(['ns:a', 'ns:d']);
  });

  it('three users of thirty keys share three places: each call is answered, and no process is lost before its first call', async () => {
    const { tenants } = setUp({ isolation: 'none', maxProcesses: 3 });
    let most = 0;
    const answers = await Promise.all([0, 1, 2].map(async (user) => {
      const mine: string[] = [];
      for (let i = user; i < 30; i += 3) {
        const proxy = await tenants.get({ namespace: `n${i}` });
        mine.push(await proxy.greet(`n${i}`));
        most = Math.max(most, tenants.list().filter(({ state }) => state === 'running').length);
      }
      return mine;
    }));
    expect(answers.flat().sort()).toEqual(Array.from({ length: 30 }, (_, i) => `hello, n${i}`).sort());
    expect(most).toBe(3);
  });
});

describe('a key that was given up', () => {
  it('is refused with the cause while it cools down, then started again: the same proxy lives', async () => {
    const { tenants } = setUp({ restartPolicy: { maxRestarts: 0 }, cooldown: 200 });
    const a = await tenants.get({ namespace: 'a' });
    const b = await tenants.get({ namespace: 'b' });
    await expect(a.crash()).rejects.toMatchObject({ code: 'PROCESS_CRASHED' });
    await until(() => tenants.list().some(({ state }) => state === 'failed'));
    const refused = await tenants.get({ namespace: 'a' }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RestartsExhaustedError);
    expect(refused).toMatchObject({ cause: { code: 'PROCESS_CRASHED', exitCode: 7 } });
    expect((await tenants.health()).status).toBe('unhealthy');
    expect(await b.greet('b')).toBe('hello, b');
    await new Promise((resolve) => setTimeout(resolve, 220));
    expect(await (await tenants.get({ namespace: 'a' })).greet('a')).toBe('hello, a');
    expect(await a.greet('again')).toBe('hello, again');
    expect((await tenants.health()).status).toBe('healthy');
  });

  it('is told with the limit and the time that is left; a proxy that somebody still holds brings it back after the cooldown', async () => {
    const { tenants } = setUp({ restartPolicy: { maxRestarts: 0 }, cooldown: 300 });
    const failed: Error[] = [];
    tenants.on('failed', ({ error }) => failed.push(error));
    const a = await tenants.get({ namespace: 'a' });
    for (let round = 0; round < 2; round++) {
      await expect(a.crash()).rejects.toMatchObject({ code: 'PROCESS_CRASHED' });
      await until(() => failed.length === round + 1);
      const refused = await tenants.get({ namespace: 'a' }).catch((error: unknown) => error as RestartsExhaustedError);
      expect(refused).toMatchObject({ code: 'RESTARTS_EXHAUSTED', limit: 'maxRestarts', retryAfter: expect.any(Number), message: expect.stringContaining('given up (maxRestarts)') });
      expect(failed[round]).toMatchObject({ limit: 'maxRestarts' });
      await expect(a.greet('too soon')).rejects.toThrow(RestartsExhaustedError);
      await new Promise((resolve) => setTimeout(resolve, (refused as RestartsExhaustedError).retryAfter));
      // Nobody asks for the key: many call what they have.
      expect(await Promise.all([a.greet('a'), a.greet('b')])).toEqual(['hello, a', 'hello, b']);
      expect(tenants.list()).toMatchObject([{ state: 'running' }]);
    }
  });

  it('stays given up for another cooldown when it cannot be started again, and comes back when it can', async () => {
    const broken = join(temporaryFolder('mimas-test-'), 'broken');
    const { tenants } = setUp({ dependencies: { broken }, restartPolicy: { maxRestarts: 0 }, cooldown: 200 });
    const a = await tenants.get({ namespace: 'a' });
    writeFileSync(broken, '');
    await expect(a.crash()).rejects.toMatchObject({ code: 'PROCESS_CRASHED' });
    await until(() => tenants.list().some(({ state }) => state === 'failed'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    await expect(tenants.get({ namespace: 'a' })).rejects.toMatchObject({ code: 'RESTARTS_EXHAUSTED', limit: 'maxRestarts' });
    expect(tenants.list()).toMatchObject([{ id: 'ns:a', state: 'failed' }]);
    await expect(tenants.get({ namespace: 'a' })).rejects.toThrow(/ns:a: it was given up, and could not be started again: .*is broken/s);
    await expect(a.greet('a')).rejects.toThrow(RestartsExhaustedError);
    rmSync(broken);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await a.greet('a')).toBe('hello, a');
    expect(tenants.list()).toMatchObject([{ id: 'ns:a', state: 'running' }]);
  });

  it('terminate clears it at once', async () => {
    const { tenants } = setUp({ restartPolicy: { enabled: false } });
    await expect((await tenants.get({ namespace: 'a' })).crash()).rejects.toMatchObject({ code: 'PROCESS_CRASHED' });
    await until(() => tenants.list()[0]?.state === 'failed');
    await tenants.terminate({ namespace: 'a' });
    expect(tenants.list()).toEqual([]);
    expect(await (await tenants.get({ namespace: 'a' })).greet('a')).toBe('hello, a');
  });
});

describe('the handle', () => {
  it('peek starts nothing; terminate ends within its grace and refuses what it does not know; a get meanwhile waits', async () => {
    const { tenants } = setUp({ isolation: 'child' });
    expect(tenants.peek({ namespace: 'a' })).toBeUndefined();
    const a = await tenants.get({ namespace: 'a' });
    const { pid } = await a.who();
    void a.sleep(60_000).catch(() => undefined);
    const ended = tenants.terminate({ namespace: 'a' }, { grace: 300 });
    expect(tenants.peek({ namespace: 'a' })).toBeUndefined();
    const next = tenants.get({ namespace: 'a' });
    await ended;
    expect(alive(pid)).toBe(false);
    expect((await (await next).who()).pid).not.toBe(pid);
    await expect(tenants.terminate({ namespace: 'b' })).rejects.toThrow(UnitNotFoundError);
  });

  it('terminate during creation cuts it short and leaves nothing', async () => {
    const { tenants, pm } = setUp({ isolation: 'child', dependencies: { startMs: 10_000 } });
    const starting = tenants.get({ namespace: 'a' });
    starting.catch(() => undefined);
    await until(() => pm.listProcesses().length === 1);
    await tenants.terminate({ namespace: 'a' });
    await expect(starting).rejects.toMatchObject({ code: 'PROCESS_STOPPED' });
    expect([tenants.list(), pm.listProcesses()]).toEqual([[], []]);
  });

  it('health names the checks after the keys; list says what is where', async () => {
    const { tenants } = setUp({ isolation: 'child' });
    const { pid } = await (await tenants.get({ namespace: 'a:b' })).who();
    await tenants.get({ namespace: 'c' });
    expect((await tenants.health()).checks.map(({ name }) => name).sort()).toEqual(['ns:a%3Ab.self', 'ns:c.self']);
    expect((await tenants.health({ namespace: 'c' })).checks.map(({ name }) => name)).toEqual(['ns:c.self']);
    expect(tenants.list().find(({ pid: its }) => its === pid)).toMatchObject({ id: 'ns:a%3Ab', key: { namespace: 'a:b' }, state: 'running', busy: false, error: undefined });
  });

  it('17. two files under one key are two processes', async () => {
    const { pm, tenants } = setUp({ isolation: 'child' });
    const other = pm.isolate<Tenant>('processes/calculator.process.ts', { isolation: 'child' });
    await tenants.get({ namespace: 'a' });
    await other.get({ namespace: 'a' });
    const names = pm.listProcesses();
    expect(names.map(({ name }) => name)).toEqual(['ns:a:tenant', 'ns:a:calculator']);
    expect(new Set(names.map(({ pid }) => pid)).size).toBe(2);
  });

  it('a process that its user stops is no longer listed; one that its user starts again is the key’s own', async () => {
    const { tenants } = setUp();
    const a = await tenants.get({ namespace: 'a' });
    await a.$handle.stop();
    expect(tenants.list()).toEqual([]);
    await a.$handle.restart();
    expect(tenants.list()).toMatchObject([{ id: 'ns:a', state: 'running' }]);
    expect((await (await tenants.get({ namespace: 'a' })).who()).calls).toBe(1);
    expect((await a.who()).calls).toBe(2);
  });

  it('shutdown ends all keys and refuses new ones; the manager goes on', async () => {
    const { tenants, pm } = setUp({ isolation: 'child' });
    const pids = await Promise.all(['a', 'b'].map(async (namespace) => (await (await tenants.get({ namespace })).who()).pid));
    await tenants.shutdown();
    expect(pids.filter(alive)).toEqual([]);
    await expect(tenants.get({ namespace: 'a' })).rejects.toMatchObject({ code: 'PROCESS_STOPPED' });
    expect(await (await pm.spawn<Tenant>(FILE)).greet('x')).toBe('hello, x');
  });

  it('ends with its manager, also while a key starts', async () => {
    const { tenants, pm } = setUp({ isolation: 'child' });
    const { pid } = await (await tenants.get({ namespace: 'a' })).who();
    const starting = tenants.get({ namespace: 'b' });
    starting.catch(() => undefined);
    await pm.shutdown();
    expect(alive(pid)).toBe(false);
    await expect(starting).rejects.toMatchObject({ code: 'PROCESS_STOPPED' });
  });

  it('refuses unknown and senseless options, keys and files by name', async () => {
    const { pm, tenants } = setUp();
    expect(() => pm.isolate(FILE, { idleTimout: 5 } as never)).toThrow("isolate: unknown option 'idleTimout'; did you mean 'idleTimeout'?");
    expect(() => pm.isolate(FILE, { idleTimout: 5 } as never)).toThrow(UnknownOptionError);
    expect(() => pm.isolate(FILE, { level: 'tenant' as never })).toThrow(InvalidOptionError);
    expect(() => pm.isolate(FILE, { maxProcesses: 0 })).toThrow(InvalidOptionError);
    expect(() => pm.isolate(FILE, { perKey: 5 as never })).toThrow(InvalidOptionError);
    expect(() => pm.isolate(FILE, { cwd: '/tmp' })).toThrow(UnsupportedOptionError);
    expect(() => pm.isolate('nowhere.process.ts')).toThrow(ProcessStartError);
    await expect(tenants.get({ session: 's' })).rejects.toThrow("key.namespace: level 'namespace' needs a namespace");
    await expect(tenants.get({ namespce: 's' } as never)).rejects.toThrow(UnknownOptionError);
    const broken = pm.isolate(FILE, { perKey: () => ({ isolaton: 'child' }) as never });
    await expect(broken.get({ namespace: 'a' })).rejects.toThrow(UnknownOptionError);
    expect(broken.list()).toEqual([]);
  });
});
