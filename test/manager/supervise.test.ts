// pm.supervise over real threads and children: order, strategies, budgets, nesting, and proxies that outlive what is behind them.
import { createProcessManager, InvalidOptionError, InvalidProcessError, ProcessStartError, RestartsExhaustedError, UnitNotFoundError, UnknownOptionError, UnsupportedOptionError, type ChildDefinition, type Supervision, type SupervisionOptions } from 'mimas';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type Tenant from '../fixtures/manager/tenant.process.js';

const file = new URL('../fixtures/manager/tenant.process.ts', import.meta.url);
// Real processes, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
const managers: { shutdown(): Promise<void> }[] = [];

function manager() {
  const pm = createProcessManager({ output: 'capture' });
  managers.push(pm);
  return pm;
}

async function setUp(children: readonly ChildDefinition[], options: SupervisionOptions = {}) {
  const pm = manager();
  const tree = await pm.supervise(children, options);
  const log: string[] = [];
  for (const event of ['child-started', 'child-stopped', 'child-ended', 'child-restart'] as const) tree.on(event, ({ path }) => log.push(`${event.slice(6)} ${path}`));
  return { pm, tree, log };
}

const abc = (options: Partial<Extract<ChildDefinition, { file: unknown }>> = {}) => ['a', 'b', 'c'].map((name) => ({ name, file, ...options }));
const who = (tree: Supervision, path: string) => tree.get<Tenant>(path).who();
const threads = async (tree: Supervision, paths: string[]) => Promise.all(paths.map(async (path) => (await who(tree, path)).threadId));
const states = (tree: Supervision) => tree.status().children.map(({ name, state }) => `${name} ${state}`);
const crash = (tree: Supervision, path: string, code = 7) => expect(tree.get<Tenant>(path).crash(code)).rejects.toMatchObject({ code: 'PROCESS_CRASHED' });

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

describe('strategies', () => {
  it.each([
    { strategy: 'one-for-one', same: ['a', 'c'] },
    { strategy: 'rest-for-one', same: ['a'] },
    { strategy: 'one-for-all', same: [] },
  ] as const)('$strategy: a death of b leaves $same alone; every proxy stays valid', async ({ strategy, same }) => {
    const { tree, log } = await setUp(abc(), { strategy });
    const names = ['a', 'b', 'c'];
    const proxies = names.map((name) => tree.get<Tenant>(name));
    const before = await threads(tree, names);
    await crash(tree, 'b');
    const changed = names.filter((name) => !(same as readonly string[]).includes(name));
    await until(() => log.filter((line) => line.startsWith('started')).length === changed.length);
    const after = await Promise.all(proxies.map(async (proxy) => (await proxy.who()).threadId));
    expect(names.filter((_, i) => before[i] === after[i])).toEqual(same);
    expect(names.map((name) => tree.get<Tenant>(name))).toEqual(proxies);
    expect(tree.status()).toMatchObject({ state: 'running', restarts: 1 });
    expect(log).toEqual(['restart b', ...changed.filter((name) => name !== 'b').reverse().map((name) => `stopped ${name}`), ...changed.map((name) => `started ${name}`)]);
  });

  it('a call to a sibling that is restarted with the dead one waits, and none is lost', async () => {
    const { tree } = await setUp(abc({ options: { isolation: 'child' } }), { strategy: 'one-for-all' });
    const { pid } = await who(tree, 'a');
    const seen = tree.get<Tenant>('c');
    const old = (await seen.who()).pid;
    let stop = false;
    const answers: number[] = [];
    const caller = (async () => {
      while (!stop) {
        answers.push((await seen.who()).pid);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    process.kill(pid, 'SIGKILL');
    await until(() => answers.some((its) => its !== old));
    stop = true;
    await caller;
    expect(alive(old)).toBe(false);
    expect(new Set(answers).size).toBe(2);
  });
});

describe('a tree', () => {
  it('starts in order, each when the one before is ready, and stops in reverse', async () => {
    const pm = manager();
    const log: string[] = [];
    pm.on('spawn', ({ name }) => log.push(`+${name}`));
    pm.on('stop', ({ name }) => log.push(`-${name}`));
    const tree = await pm.supervise(abc().map((child, i) => ({ ...child, options: { dependencies: { startMs: 60 - i * 30 } } })));
    expect(tree.status().children.map(({ process }) => process?.status)).toEqual(['running', 'running', 'running']);
    await tree.stop();
    expect(log).toEqual(['+a', '+b', '+c', '-c', '-b', '-a']);
    expect([tree.state, states(tree)]).toEqual(['stopped', ['a stopped', 'b stopped', 'c stopped']]);
    await expect(who(tree, 'a')).rejects.toMatchObject({ code: 'PROCESS_STOPPED' });
    await tree.start();
    expect((await who(tree, 'a')).calls).toBe(1);
  });

  it('24. when a child cannot start, those before it are stopped and the error names the cause', async () => {
    const pm = manager();
    const children = [{ name: 'a', file, options: { isolation: 'child' as const } }, { name: 'b', file, options: { dependencies: { fail: 'no database' } } }];
    await expect(pm.supervise(children)).rejects.toMatchObject({ code: 'INIT_FAILED', cause: { message: 'no database' } });
    expect(pm.listProcesses().filter(({ status }) => status !== 'stopped')).toEqual([]);
  });

  it('an optional child that cannot start is left out', async () => {
    const { tree } = await setUp([{ name: 'a', file }, { name: 'b', file, optional: true, options: { dependencies: { fail: 'no' } } }]);
    expect(states(tree)).toEqual(['a running', 'b failed']);
    expect(() => tree.get('b')).toThrow(UnitNotFoundError);
  });

  it('gives up when the budget is used up: siblings are stopped, calls are refused with the reason, start() tries again', async () => {
    const { tree } = await setUp(abc(), { intensity: 1, period: '1m' });
    await crash(tree, 'b');
    expect((await who(tree, 'b')).calls).toBe(1);
    const givenUp = new Promise((resolve) => tree.on('escalate', resolve));
    await crash(tree, 'b');
    await givenUp;
    for (const name of ['a', 'b', 'c']) await expect(who(tree, name)).rejects.toThrow(RestartsExhaustedError);
    expect(tree.status().error).toMatchObject({ code: 'RESTARTS_EXHAUSTED', process: 'b', cause: { code: 'PROCESS_CRASHED', exitCode: 7 } });
    expect(tree.status().children.map(({ process }) => process?.status)).toEqual(['failed', 'failed', 'failed']);
    const proxy = tree.get<Tenant>('b');
    await tree.start();
    expect((await proxy.who()).calls).toBe(1);
  });

  it('a call that waits when the tree gives up is refused at once', async () => {
    const { tree } = await setUp(abc(), { intensity: 0 });
    const dead = tree.get<Tenant>('a').crash();
    dead.catch(() => undefined);
    await until(() => tree.status().children[0]!.state !== 'running');
    const started = performance.now();
    await expect(who(tree, 'a')).rejects.toThrow(RestartsExhaustedError);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it('a child that is not critical is given up alone', async () => {
    const { tree } = await setUp([{ name: 'a', file }, { name: 'b', file, critical: false }], { intensity: 0 });
    await crash(tree, 'b');
    await until(() => states(tree).includes('b failed'));
    await expect(who(tree, 'b')).rejects.toThrow(RestartsExhaustedError);
    expect((await who(tree, 'a')).calls).toBe(1);
    await tree.restart('b');
    expect((await who(tree, 'b')).calls).toBe(1);
  });

  it('a child that is not critical is tried again when the budget allows it: its proxy lives', async () => {
    const { tree } = await setUp([{ name: 'a', file }, { name: 'b', file, critical: false }], { intensity: 1, period: '3s' });
    await crash(tree, 'b');
    await until(() => tree.status().children[1]!.starts === 2 && states(tree).includes('b running'));
    await crash(tree, 'b');
    await until(() => states(tree).includes('b failed'));
    const error = await who(tree, 'b').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RestartsExhaustedError);
    expect((error as RestartsExhaustedError).retryAfter).toBeGreaterThan(0);
    await until(() => states(tree).includes('b running'));
    expect((await who(tree, 'b')).calls).toBe(1);
    expect((await who(tree, 'a')).calls).toBe(1);
  });

  it('a transient child may end by itself, a temporary one may die: neither is brought back', async () => {
    const { tree } = await setUp([{ name: 'a', file, type: 'transient', options: { isolation: 'child' } }, { name: 'b', file, type: 'temporary' }, { name: 'c', file, type: 'transient' }]);
    await crash(tree, 'a', 0);
    await crash(tree, 'b');
    await until(() => states(tree).join() === 'a ended,b ended,c running');
    await expect(who(tree, 'a')).rejects.toMatchObject({ code: 'PROCESS_STOPPED' });
    await crash(tree, 'c');
    expect((await who(tree, 'c')).calls).toBe(1);
    await tree.restart('a');
    expect((await who(tree, 'a')).calls).toBe(1);
  });

  it('a child that its user stops stays down; $handle.restart() brings it back under the group', async () => {
    const { tree, pm } = await setUp(abc({ options: { isolation: 'child' } }), { strategy: 'one-for-all' });
    const b = tree.get<Tenant>('b');
    await pm.kill(b);
    expect(states(tree)).toEqual(['a running', 'b ended', 'c running']);
    await expect(b.who()).rejects.toMatchObject({ code: 'PROCESS_STOPPED' });
    await b.$handle.restart();
    expect(states(tree)).toEqual(['a running', 'b running', 'c running']);
    process.kill((await b.who()).pid, 'SIGKILL');
    await until(() => tree.status().restarts === 1);
    expect((await b.who()).calls).toBe(1);
    expect(b.$handle.restarts).toBe(2);
  });

  it('children can be added, removed and restarted while it runs', async () => {
    const { tree, log } = await setUp([{ name: 'a', file }]);
    await tree.add({ name: 'b', file, options: { dependencies: { greeting: 'hi' } } });
    const b = tree.get<Tenant>('b');
    expect(await b.greet('you')).toBe('hi, you');
    await b.who();
    await tree.restart('b');
    expect((await b.who()).calls).toBe(1);
    await tree.remove('b');
    expect(() => tree.get('b')).toThrow(UnitNotFoundError);
    await expect(b.who()).rejects.toMatchObject({ code: 'PROCESS_STOPPED' });
    expect(log).toEqual(['started b', 'stopped b', 'started b', 'stopped b']);
    await expect(tree.add({ name: 'a', file })).rejects.toThrow(InvalidOptionError);
    await expect(tree.add({ name: 'x', file, options: { dependencies: { fail: 'no' } } })).rejects.toMatchObject({ code: 'INIT_FAILED' });
    expect(states(tree)).toEqual(['a running']);
  });

  it('ends with its manager, in reverse order, within the time that is left', async () => {
    const { pm, tree, log } = await setUp(abc({ options: { isolation: 'child' } }));
    const pids = await Promise.all(['a', 'b', 'c'].map(async (name) => (await who(tree, name)).pid));
    tree.get<Tenant>('c').sleep(60_000).catch(() => undefined);
    const started = performance.now();
    await pm.shutdown({ timeout: 500 });
    expect(performance.now() - started).toBeLessThan(4000);
    expect(pids.filter(alive)).toEqual([]);
    expect(log).toEqual(['stopped c', 'stopped b', 'stopped a']);
    expect(tree.state).toBe('stopped');
  });
});

describe('nested groups', () => {
  const nested = (options: SupervisionOptions = {}): ChildDefinition[] => [
    { name: 'front', file },
    { name: 'back', ...options, children: [{ name: 'db', file }, { name: 'cache', file }] },
  ];

  it('start and stop as one child; their children have paths', async () => {
    const { tree, log } = await setUp(nested());
    expect((await who(tree, 'back/cache')).calls).toBe(1);
    expect(tree.status().children[1]).toMatchObject({ name: 'back', state: 'running', group: { name: 'back', children: [{ name: 'db' }, { name: 'cache', process: { name: 'cache', status: 'running' } }] } });
    expect(() => tree.get('back')).toThrow('back is a group; name one of its children: back/db, back/cache');
    await tree.restart('back/db');
    await tree.add({ name: 'extra', file }, 'back');
    expect((await who(tree, 'back/extra')).calls).toBe(1);
    await tree.stop();
    expect(log).toEqual(['stopped back/db', 'started back/db', 'started back/extra', 'stopped back/extra', 'stopped back/cache', 'stopped back/db', 'stopped back', 'stopped front']);
  });

  it('when the inner budget is used up, the outer group restarts the inner one: proxies stay valid', async () => {
    const { tree } = await setUp(nested({ intensity: 0 }), { strategy: 'one-for-all', intensity: 2 });
    const cache = tree.get<Tenant>('back/cache');
    const front = await who(tree, 'front');
    await crash(tree, 'back/cache');
    expect((await cache.who()).calls).toBe(1);
    expect((await who(tree, 'back/db')).calls).toBe(1);
    // Restarted with it, though nothing was wrong with it.
    expect((await who(tree, 'front')).threadId).not.toBe(front.threadId);
    expect(tree.status()).toMatchObject({ state: 'running', restarts: 1 });
  });

  it('when both budgets are used up, the whole tree gives up', async () => {
    const { tree } = await setUp(nested({ intensity: 0 }), { intensity: 0 });
    const givenUp = new Promise<{ path: string }>((resolve) => tree.on('escalate', (event) => !event.path && resolve(event)));
    await crash(tree, 'back/cache');
    await givenUp;
    for (const path of ['front', 'back/db', 'back/cache']) await expect(who(tree, path)).rejects.toThrow(RestartsExhaustedError);
  });

  it('an inner group that is not critical is given up alone', async () => {
    const [front, back] = nested({ intensity: 0 });
    const { tree } = await setUp([front!, { ...back!, critical: false }], { intensity: 0 });
    await crash(tree, 'back/cache');
    await until(() => states(tree).includes('back failed'));
    await expect(who(tree, 'back/db')).rejects.toThrow(RestartsExhaustedError);
    expect((await who(tree, 'front')).calls).toBe(1);
  });
});

it('refuses what cannot work, by name, before anything is started', async () => {
  const pm = manager();
  const refuses = async (children: unknown, error: new (message: string) => Error, message: string, options: object = {}) => {
    const thrown = await pm.supervise(children as ChildDefinition[], options).catch((caught: unknown) => caught);
    expect(thrown).toBeInstanceOf(error);
    expect((thrown as Error).message).toContain(message);
  };
  await refuses([{ name: 'a', fil: 'x' }], UnknownOptionError, "supervise: child 'a': unknown option 'fil'; did you mean 'file'?");
  await refuses([{ name: 'a', file, isolation: 'child' }], UnknownOptionError, "'isolation'; it is a spawn option: write options: { isolation }");
  await refuses([{ name: 'a', file, options: { isolaton: 'child' } }], UnknownOptionError, 'isolaton');
  await refuses([{ name: 'a', file, options: { restartPolicy: {} } }], UnsupportedOptionError, 'the group restarts its children');
  await refuses([{ name: 'a', file, options: { cwd: '/' } }], UnsupportedOptionError, 'cwd');
  await refuses([{ name: 'a', file: 'nowhere.process.ts' }], ProcessStartError, 'nowhere.process.ts');
  await refuses([{ name: 'a', file }, { name: 'a', file }], InvalidOptionError, "two children have the name 'a'");
  await refuses([{ name: 'a/b', file }], InvalidOptionError, 'without a slash');
  await refuses([{ name: 'a', file, type: 'always' }], InvalidOptionError, 'permanent, transient, temporary');
  await refuses([{ name: 'a', file, critical: 1 }], InvalidOptionError, 'critical');
  await refuses([{ name: 'a' }], InvalidOptionError, 'file');
  await refuses([{ name: 'g', children: [{ name: 'a', fil: 'x' }] }], UnknownOptionError, "child 'g': child 'a'");
  await refuses([{ name: 'g', children: [], strategi: 'x' }], UnknownOptionError, "did you mean 'strategy'?");
  await refuses([], InvalidOptionError, 'strategy', { strategy: 'all' });
  await refuses([], UnknownOptionError, 'maxRestarts', { maxRestarts: 3 });
  await refuses(class Plain {}, InvalidProcessError, 'Plain has no @Supervisor()');
  await refuses('file', InvalidOptionError, 'children are a list');
  expect(pm.listProcesses()).toEqual([]);
  await pm.shutdown();
  await refuses([{ name: 'a', file }], Error, 'shut down');
});
