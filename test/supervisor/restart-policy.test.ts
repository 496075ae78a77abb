// The decision as a table, the tracker's memory, and the checks of the options.
import { describe, expect, it } from 'vitest';
import { InvalidOptionError, UnknownOptionError } from '../../src/errors.js';
import { DEFAULT_RESTART_POLICY, decideRestart, resolveRestartPolicy, RestartTracker, type ExitEvent, type RestartDecision, type RestartHistory, type RestartPolicyOptions } from '../../src/supervisor/index.js';

const middle = () => 0.5;
const restart = (delay: number): RestartDecision => ({ action: 'restart', delay });
const stop = (reason: 'completed' | 'not-restarted' | 'max-restarts' | 'circuit-open'): RestartDecision => ({ action: 'stop', reason });
const NOW = 1_000_000;
const crash: ExitEvent = { now: NOW, clean: false };
const clean: ExitEvent = { now: NOW, clean: true };
const asked: ExitEvent = { now: NOW, clean: false, failed: false };
const fresh: RestartHistory = { restarts: [], failures: 0, upSince: NOW - 10 };
const failing = (failures: number, upSince?: number): RestartHistory => ({ restarts: [], failures, upSince });
const restarted = (...ago: number[]): RestartHistory => ({ restarts: ago.map((ms) => NOW - ms), failures: 0, upSince: NOW - 10 });
const linear: RestartPolicyOptions = { backoff: { type: 'linear', initial: 100, max: 350 }, maxFailures: 100 };
const exponential: RestartPolicyOptions = { backoff: { type: 'exponential', initial: 100, max: 1000 }, maxFailures: 100 };

describe('decideRestart', () => {
  it.each<[what: string, policy: RestartPolicyOptions, history: RestartHistory, event: ExitEvent, decision: RestartDecision]>([
    ['permanent, crash: restart after the initial delay', {}, fresh, crash, restart(200)],
    ['permanent, clean end: restart', {}, fresh, clean, restart(200)],
    ['transient, crash: restart', { type: 'transient' }, fresh, crash, restart(200)],
    ['transient, clean end: completed', { type: 'transient' }, fresh, clean, stop('completed')],
    ['transient, end on request (not clean, not failed): restart', { type: 'transient' }, fresh, asked, restart(200)],
    ['temporary, crash: not restarted', { type: 'temporary' }, fresh, crash, stop('not-restarted')],
    ['temporary, clean end: completed', { type: 'temporary' }, fresh, clean, stop('completed')],
    ['disabled, crash: not restarted', { enabled: false }, fresh, crash, stop('not-restarted')],
    ['linear, 1st failure', linear, failing(0), crash, restart(100)],
    ['linear, 2nd failure', linear, failing(1), crash, restart(200)],
    ['linear, 3rd failure', linear, failing(2), crash, restart(300)],
    ['linear, capped', linear, failing(9), crash, restart(350)],
    ['exponential, 1st failure', exponential, failing(0), crash, restart(100)],
    ['exponential, 2nd failure', exponential, failing(1), crash, restart(200)],
    ['exponential, 4th failure', exponential, failing(3), crash, restart(800)],
    ['exponential, capped', exponential, failing(4), crash, restart(1000)],
    ['exponential, capped far out', exponential, failing(90), crash, restart(1000)],
    ['4th failure in a row: still tried', {}, failing(3), crash, restart(1600)],
    ['5th failure in a row: the breaker opens', {}, failing(4), crash, stop('circuit-open')],
    ['5th failure, but stable in between: forgiven', {}, failing(4, NOW - 10_000), crash, restart(200)],
    ['the death of one that came up is no failed start: it never opens the breaker', {}, failing(9, NOW - 10), crash, restart(30_000)],
    ['… and up for less than stableAfter forgives no delay', {}, failing(2, NOW - 9_999), crash, restart(800)],
    ['one that did its work begins with the initial delay again', {}, failing(9, NOW - 10), { ...crash, served: true }, restart(200)],
    ['a death may count as a failed start where its owner says so', {}, { ...failing(4, NOW - 10), failedStarts: 4 }, { ...crash, start: true }, stop('circuit-open')],
    ['a clean end after 4 failures does not open the breaker', {}, failing(4), clean, restart(1600)],
    ['an end on request after 4 failures does not open the breaker', {}, failing(4), asked, restart(1600)],
    ['maxFailures 1: the first start that fails is the last', { maxFailures: 1 }, failing(0), crash, stop('circuit-open')],
    ['maxFailures 1: a death is not', { maxFailures: 1 }, fresh, crash, restart(200)],
    ['restarts within the window used up', { maxRestarts: 2 }, restarted(10_000, 20_000), crash, stop('max-restarts')],
    ['clean ends use them up, too', { maxRestarts: 2 }, restarted(10_000, 20_000), clean, stop('max-restarts')],
    ['the window slides', { maxRestarts: 2 }, restarted(10_000, 60_000), crash, restart(200)],
    ['maxRestarts 0 means none', { maxRestarts: 0 }, fresh, crash, stop('max-restarts')],
    ['an aborted attempt is tried again in about a second', {}, failing(3), { ...crash, transient: true }, restart(1000)],
    ['an aborted attempt counts for the breaker', {}, failing(4), { ...crash, transient: true }, stop('circuit-open')],
  ])('%s', (_what, policy, history, event, decision) => {
    const before = JSON.stringify(history);
    expect(decideRestart(resolveRestartPolicy(policy), history, event, middle)).toEqual(decision);
    expect(JSON.stringify(history)).toBe(before);
  });

  it.each<[what: string, policy: RestartPolicyOptions, history: RestartHistory, event: ExitEvent, decision: RestartDecision]>([
    ['below its limits it waits as any other', {}, restarted(10, 20), crash, restart(200)],
    ['restarts used up: it rests, by those of the window', { maxRestarts: 2 }, restarted(10, 20), crash, { action: 'restart', delay: 800, limit: 'maxRestarts' }],
    ['… longer each time, also when it did its work', { maxRestarts: 2 }, restarted(10, 20, 30, 40), { ...crash, served: true }, { action: 'restart', delay: 3200, limit: 'maxRestarts' }],
    ['… up to max', { maxRestarts: 2, backoff: { max: '1s' } }, restarted(10, 20, 30, 40), crash, { action: 'restart', delay: 1000, limit: 'maxRestarts' }],
    ['… until the window lets it go', { maxRestarts: 2 }, restarted(10, 60_000), crash, restart(200)],
    ['starts in a row fail: it rests', {}, failing(4), crash, { action: 'restart', delay: 3200, limit: 'maxFailures' }],
    ['… longer each time', {}, failing(6), crash, { action: 'restart', delay: 12_800, limit: 'maxFailures' }],
    ['transient, clean end: completed all the same', { type: 'transient' }, fresh, clean, stop('completed')],
    ['temporary: not restarted all the same', { type: 'temporary' }, fresh, crash, stop('not-restarted')],
  ])('of a policy that heals: %s', (_what, policy, history, event, decision) => {
    expect(decideRestart({ ...resolveRestartPolicy(policy), heals: true }, history, event, middle)).toEqual(decision);
  });

  it('spreads delays over ±25 %', () => {
    const policy = resolveRestartPolicy();
    expect(decideRestart(policy, fresh, crash, () => 0)).toEqual(restart(150));
    expect(decideRestart(policy, fresh, crash, () => 1)).toEqual(restart(250));
  });
});

describe('RestartTracker', () => {
  const tracker = (options: RestartPolicyOptions = {}) => new RestartTracker(resolveRestartPolicy(options), middle);

  it('lets five attempts fail, then stops; reset clears it', () => {
    const t = tracker();
    const actions = [1, 2, 3, 4, 5].map((now) => t.onExit({ now, clean: false }).action);
    expect(actions).toEqual(['restart', 'restart', 'restart', 'restart', 'stop']);
    t.reset();
    expect([t.failures, t.onExit({ now: 6, clean: false })]).toEqual([0, restart(200)]);
  });

  it('a start by itself forgives nothing, a stable time does, and so does onStable', () => {
    const t = tracker({ maxRestarts: Infinity });
    t.onExit({ now: 0, clean: false });
    t.onStart(1);
    expect(t.onExit({ now: 2, clean: false })).toEqual(restart(400));
    t.onStart(3);
    t.onStart(10_002);
    expect(t.onExit({ now: 10_003, clean: false })).toEqual(restart(200));
    t.onStable();
    expect(t.onExit({ now: 10_004, clean: false })).toEqual(restart(200));
  });

  it('counts restarts in a sliding window', () => {
    const t = tracker({ maxRestarts: 2, window: 100, maxFailures: Infinity });
    const at = (now: number) => t.onExit({ now, clean: false }).action;
    expect([at(0), at(50), at(99), at(100), at(101), at(150)]).toEqual(['restart', 'restart', 'stop', 'restart', 'stop', 'restart']);
  });
});

describe('resolveRestartPolicy', () => {
  it('has the documented defaults and reads units', () => {
    expect(resolveRestartPolicy()).toEqual(DEFAULT_RESTART_POLICY);
    expect(resolveRestartPolicy({ window: '2m', backoff: { initial: '1m', type: 'linear' } })).toMatchObject({ window: 120_000, backoff: { type: 'linear', initial: 60_000, max: 60_000 } });
    expect(resolveRestartPolicy({ maxRestarts: 0 }).maxRestarts).toBe(0);
  });

  it.each<[RestartPolicyOptions | object, RegExp]>([
    [{ maxRetries: 3 }, /restartPolicy: unknown option 'maxRetries'/],
    [{ backoff: { factor: 3 } }, /restartPolicy\.backoff: unknown option 'factor'/],
    [{ enabled: 'yes' }, /restartPolicy\.enabled: "yes" is not one of true, false/],
    [{ backoff: 5 }, /restartPolicy\.backoff: 5 is not an object of options/],
    [{ type: 'always' }, /restartPolicy\.type: "always" is not one of permanent, transient, temporary/],
    [{ backoff: { type: 'fixed' } }, /restartPolicy\.backoff\.type/],
    [{ maxRestarts: -1 }, /restartPolicy\.maxRestarts/],
    [{ maxFailures: 0 }, /restartPolicy\.maxFailures/],
    [{ backoff: { jitter: 2 } }, /restartPolicy\.backoff\.jitter/],
    [{ window: 'long' }, /restartPolicy\.window/],
  ])('refuses %j by name', (options, message) => {
    expect(() => resolveRestartPolicy(options)).toThrow(message);
    expect(() => resolveRestartPolicy(options)).toThrow(expect.toSatisfy((error: unknown) => error instanceof UnknownOptionError || error instanceof InvalidOptionError) as never);
  });
});
