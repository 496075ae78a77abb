// Groups: order, strategies, budget, escalation through nested groups, and changes while they run.
import { describe, expect, it } from 'vitest';
import { InvalidOptionError, RestartsExhaustedError, UnitNotFoundError } from '../../src/errors.js';
import { Group, type ChildContext, type GroupChild, type GroupOptions } from '../../src/supervisor/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { settled } from './helpers.js';

const died = new Error('died');

function setUp(names: string, options: GroupOptions = {}, own: Record<string, Partial<GroupChild>> = {}) {
  const clock = new FakeClock();
  const log: string[] = [];
  const contexts = new Map<string, ChildContext[]>();
  const make = (name: string): GroupChild => ({
    name,
    start: (ctx) => {
      contexts.set(name, [...(contexts.get(name) ?? []), ctx]);
      log.push(`+${name}`);
    },
    stop: () => void log.push(`-${name}`),
    ...own[name],
  });
  const group = new Group([...names].map(make), { clock, ...options });
  const exit = async (name: string, report: { error?: unknown; clean?: boolean } = { error: died }) => {
    group.notifyExit(name, report);
    await clock.flush();
  };
  const states = () => group.status().children.map(({ name, state }) => `${name}:${state}`).join(' ');
  const take = () => log.splice(0).join(' ');
  return { clock, group, exit, states, take, log, make, contexts };
}

describe('start and stop', () => {
  it('starts in order, each when the one before is ready, and stops in reverse', async () => {
    const clock = new FakeClock();
    const { group, take } = setUp('abc', {}, { a: { start: () => clock.sleep(100) } });
    const started = group.start();
    await clock.flush();
    expect([take(), group.state]).toEqual(['', 'starting']);
    expect(group.start()).toBe(started);
    await clock.advance(100);
    await started;
    expect([take(), group.state]).toEqual(['+b +c', 'running']);
    await Promise.all([group.stop(), group.stop()]);
    expect([take(), group.state]).toEqual(['-c -b -a', 'stopped']);
    const again = group.start();
    await clock.advance(100);
    await again;
    expect(group.state).toBe('running');
  });

  it('a child that cannot start takes the started ones down, and its error is thrown', async () => {
    const failures: string[] = [];
    const { group, take } = setUp('abc', {}, { c: { start: () => Promise.reject(died) } });
    group.on('child-failed', ({ name, during }) => failures.push(`${name} ${during}`));
    await expect(group.start()).rejects.toBe(died);
    expect([take(), group.state, failures]).toEqual(['+a +b -b -a', 'stopped', ['c start']]);
  });

  it('an optional child that cannot start is left out', async () => {
    const { group, states } = setUp('abc', {}, { b: { start: () => Promise.reject(died), optional: true } });
    await group.start();
    expect(states()).toBe('a:running b:failed c:running');
  });

  it('stop cuts a start short, and a stop function that throws does not keep the others up', async () => {
    const { group, clock, take } = setUp('abcd', {}, {
      b: { stop: () => Promise.reject(died) },
      c: { start: ({ signal }) => clock.sleep(60_000, signal) },
    });
    const started = group.start().catch((error: Error) => error.name);
    await clock.flush();
    await group.stop();
    expect([await started, take(), group.state]).toEqual(['AbortError', '+a +b -a', 'stopped']);
  });
});

describe('strategies', () => {
  it.each([
    ['one-for-one', '+b'],
    ['one-for-all', '-c -a +a +b +c'],
    ['rest-for-one', '-c +b +c'],
  ] as const)('%s: the death of b gives %s', async (strategy, actions) => {
    const { group, exit, take, states } = setUp('abc', { strategy });
    await group.start();
    take();
    await exit('b');
    expect([take(), states(), group.state]).toEqual([actions, 'a:running b:running c:running', 'running']);
    expect(group.status().restarts).toBe(1);
  });

  it('transient children rest after a clean end, temporary ones after any; nobody else is touched', async () => {
    const { group, exit, take, states } = setUp('abc', { strategy: 'one-for-all' }, { a: { type: 'transient' }, b: { type: 'temporary' } });
    await group.start();
    take();
    await exit('a', { clean: true });
    await exit('b');
    expect([take(), states()]).toEqual(['', 'a:ended b:ended c:running']);
    await exit('c');
    expect(states()).toBe('a:ended b:ended c:running');
  });

  it('a death during the start of the siblings is healed when they are up', async () => {
    const { group, clock, states, contexts } = setUp('ab', {}, { b: { start: () => clock.sleep(100) } });
    const started = group.start();
    await clock.flush();
    contexts.get('a')![0]!.exited({ error: died });
    expect(states()).toBe('a:down b:starting');
    await clock.advance(100);
    await started;
    await clock.flush();
    expect(states()).toBe('a:running b:running');
  });

  it('the report of a death in an earlier life is not heard', async () => {
    const { group, exit, contexts, clock } = setUp('a');
    await group.start();
    await exit('a');
    contexts.get('a')![0]!.exited({ error: died });
    await clock.flush();
    expect(group.status().children[0]).toMatchObject({ state: 'running', starts: 2 });
  });

  it('a restart that fails is one more death, and is tried again', async () => {
    let failures = 2;
    const { group, exit, states } = setUp('ab', { intensity: 3 }, { b: { start: () => (starts++ > 0 && failures-- > 0 ? Promise.reject(died) : undefined) } });
    let starts = 0;
    await group.start();
    await exit('b');
    expect([states(), group.status().restarts]).toEqual(['a:running b:running', 3]);
  });
});

describe('a child that stays down in the middle of a group restart', () => {
  it.each([
    ['temporary', { type: 'temporary' }, 5, 'a:running b:ended c:running'],
    ['not critical, with the budget used up', { critical: false }, 1, 'a:running b:failed c:running'],
  ] as const)('%s: the others are started all the same', async (_what, own, intensity, expected) => {
    let starts = 0;
    const { group, exit, states } = setUp('abc', { strategy: 'one-for-all', intensity }, { b: { ...own, start: () => (starts++ > 0 ? Promise.reject(died) : undefined) } });
    await group.start();
    await exit('a');
    expect([states(), group.state]).toEqual([expected, 'running']);
  });
});

describe('the budget', () => {
  it('one death more than the intensity within the period: the group stops, in reverse, and says why', async () => {
    const { group, exit, take, clock, states } = setUp('abc', { intensity: 2, period: '10s', name: 'backend' });
    const escalations: RestartsExhaustedError[] = [];
    group.on('escalate', ({ error }) => escalations.push(error));
    await group.start();
    await exit('a');
    await clock.advance(4000);
    await exit('b');
    await clock.advance(4000);
    take();
    await exit('b');
    expect([take(), group.state, states()]).toEqual(['-c -a', 'failed', 'a:stopped b:failed c:stopped']);
    expect(escalations[0]).toBeInstanceOf(RestartsExhaustedError);
    expect(escalations[0]!.message).toBe("backend: 'b' died, and 2 restarts within 10000 ms are used up; last: died");
    expect(group.status().error).toBe(escalations[0]);
    await group.start();
    expect([group.state, group.status().error]).toEqual(['running', undefined]);
  });

  it('a child that is not critical rests until the budget allows a restart, and is tried again, for as long as it takes', async () => {
    let broken = false;
    const start = () => (broken ? Promise.reject(new Error('no disk')) : undefined);
    const { group, exit, clock, states } = setUp('ab', { intensity: 2, period: '10s' }, { b: { critical: false, start } });
    const ended: (number | undefined)[] = [];
    group.on('child-ended', ({ retryAfter }) => ended.push(retryAfter));
    await group.start();
    await exit('b');
    await clock.advance(4_000);
    await exit('b');
    await clock.advance(1_000);
    broken = true;
    await exit('b');
    // The first restart leaves the window five seconds from now.
    expect([states(), ended]).toEqual(['a:running b:failed', [5_000]]);
    expect(group.status().children[1]!.lastError).toMatchObject({ code: 'RESTARTS_EXHAUSTED', limit: 'maxRestarts', retryAfter: 5_000, message: "group: 'b' died, and 2 restarts within 10000 ms are used up; it is tried again in 5000 ms; last: died" });
    await clock.advance(4_999);
    expect(states()).toBe('a:running b:failed');
    await clock.advance(1);
    expect([states(), ended]).toEqual(['a:running b:failed', [5_000, 4_000]]);
    await clock.advance(4_000);
    expect(ended).toEqual([5_000, 4_000, 6_000]);
    broken = false;
    await clock.advance(6_000);
    expect(states()).toBe('a:running b:running');
    await exit('b');
    expect([states(), group.state]).toEqual(['a:running b:failed', 'running']);
    // Who restarts it by hand is not followed by a second start.
    await group.restart('b');
    const { starts } = group.status().children[1]!;
    await clock.advance(60_000);
    expect(group.status().children[1]).toMatchObject({ starts, state: 'running' });
    await exit('b');
    await exit('b');
    await exit('b');
    await group.stop();
    await clock.advance(60_000);
    expect([states(), clock.pending]).toEqual(['a:stopped b:failed', 0]);
  });

  it('deaths further apart than the period are always healed; intensity 0 heals none', async () => {
    const patient = setUp('a', { intensity: 1, period: '1s' });
    await patient.group.start();
    for (let i = 0; i < 10; i++) {
      await patient.exit('a');
      await patient.clock.advance(1000);
    }
    expect(patient.group.state).toBe('running');
    const strict = setUp('a', { intensity: 0 });
    await strict.group.start();
    await strict.exit('a');
    expect(strict.group.state).toBe('failed');
  });

  it('a child that is not critical is given up, and the others go on', async () => {
    const { group, exit, states } = setUp('ab', { intensity: 0 }, { a: { critical: false } });
    await group.start();
    await exit('a');
    expect([group.state, states()]).toEqual(['running', 'a:failed b:running']);
  });

  it('backoff delays a restart, and stop does not wait for it', async () => {
    const { group, exit, take, clock, states } = setUp('a', { backoff: { initial: '1m', max: '1m', jitter: 0 } });
    await group.start();
    take();
    await exit('a');
    await clock.advance(59_999);
    expect(take()).toBe('');
    await clock.advance(1);
    expect(take()).toBe('+a');
    await exit('a');
    expect(await settled(group.stop(), clock)).toBe(true);
    expect([group.state, states(), clock.pending]).toEqual(['stopped', 'a:stopped', 0]);
    await clock.advance(120_000);
    expect(take()).toBe('-a'.slice(2));
  });

  it('deaths that are reported after stop began are dropped', async () => {
    const { group, take, exit, clock } = setUp('ab', {}, { b: { stop: () => clock.sleep(10) } });
    await group.start();
    const stopped = group.stop();
    await exit('a');
    await clock.advance(10);
    await stopped;
    await clock.flush();
    expect([take(), group.state]).toEqual(['+a +b', 'stopped']);
  });
});

describe('nested groups', () => {
  it('a group whose budget is used up is one death in the group above, which starts it anew', async () => {
    const inner = setUp('xy', { intensity: 0, name: 'inner' });
    const outer = new Group([inner.make('first'), inner.group.asChild(), inner.make('last')], { strategy: 'rest-for-one', intensity: 1, name: 'outer', clock: inner.clock });
    await outer.start();
    expect(inner.take()).toBe('+first +x +y +last');
    await inner.exit('x');
    expect(inner.take()).toBe('-y -last +x +y +last');
    expect([outer.state, inner.group.state]).toEqual(['running', 'running']);
    await inner.exit('y');
    expect(inner.take()).toBe('-x -last -first');
    expect([outer.state, inner.group.state]).toEqual(['failed', 'failed']);
    expect(outer.status().error?.cause).toBeInstanceOf(RestartsExhaustedError);
  });

  it('stopping the outer group stops the inner one, in its place', async () => {
    const inner = setUp('xy', { name: 'inner' });
    const outer = new Group([inner.make('first'), inner.group.asChild(), inner.make('last')], { clock: inner.clock });
    await outer.start();
    inner.take();
    await outer.stop();
    expect([inner.take(), inner.group.state]).toEqual(['-last -y -x -first', 'stopped']);
  });
});

describe('changes while it runs', () => {
  it('add starts the child and takes it in; one that cannot start is not taken in', async () => {
    const { group, make, states, exit, take } = setUp('a', { strategy: 'one-for-all' });
    await group.start();
    await group.add(make('b'));
    await expect(group.add({ ...make('c'), start: () => Promise.reject(died) })).rejects.toBe(died);
    await expect(group.add(make('a'))).rejects.toBeInstanceOf(InvalidOptionError);
    expect(states()).toBe('a:running b:running');
    take();
    await exit('b');
    expect(take()).toBe('-a +a +b');
  });

  it('remove stops the child and takes it out; restart gives one child a new life and clears the count', async () => {
    const { group, states, exit, take } = setUp('ab', { intensity: 1 });
    await group.start();
    await exit('a');
    take();
    await group.restart('a');
    expect(take()).toBe('-a +a');
    await exit('a');
    expect(group.state).toBe('running');
    await group.remove('a');
    expect(states()).toBe('b:running');
    expect(() => group.notifyExit('a')).toThrow(UnitNotFoundError);
  });

  it('options that do not exist or make no sense are refused by name', () => {
    expect(() => new Group([], { strategy: 'all-for-one' as never })).toThrow(/strategy/);
    expect(() => new Group([], { intensty: 3 } as never)).toThrow(/did you mean 'intensity'/);
    expect(() => new Group([], { intensity: -1 })).toThrow(InvalidOptionError);
  });
});
