// Threads and children really die here: what was in flight is told at once, what was not waits, and the proxy goes on.
import { describe, expect, it } from 'vitest';
import { CallTimeoutError, LinkClosedError, MemoryLimitError, ProcessCrashedError, ProcessStoppedError, QueueFullError, QueueTimeoutError, RestartsExhaustedError, type Isolation, type Remote, type TransportName } from 'mimas';
import { alive, isolated, linesOf, manager, next, reaches, rejection, subjectFile, temporaryFile, transports, type Subject } from './helpers.js';

/** From the moment a death can be seen to the rejection of its calls, ms. */
const AT_ONCE = 50;

const cells = isolated.flatMap((isolation) => transports.map((transport) => ({ isolation, transport })));

/** Resolves with the time at which the death of the process is seen. */
const seenDead = async (subject: Remote<Subject>): Promise<number> => {
  await reaches(subject, 'restarting');
  return performance.now();
};

/** Starts a call and a stream, and waits until both run inside. */
async function busy(subject: Remote<Subject>) {
  const call = rejection(subject.hang());
  const iterator = subject.stream()[Symbol.asyncIterator]();
  expect(await iterator.next()).toEqual({ value: 1, done: false });
  const stream = rejection(iterator.next());
  return { call, stream };
}

describe.each(cells)('a $isolation over $transport', ({ isolation, transport }) => {
  const spawn = (options = {}) => manager().spawn<Subject>(subjectFile, { isolation: isolation as Isolation, transport: transport as TransportName, ...options });

  it('that exits rejects its calls and streams at once, with how it ended, and comes back behind the same proxy', async () => {
    const subject = await spawn();
    const { __processId: id } = subject;
    const incarnations: number[] = [];
    subject.$handle.on('ready', ({ incarnation }) => incarnations.push(incarnation));
    expect(await subject.count()).toBe(1);
    const { call, stream } = await busy(subject);
    const dead = seenDead(subject);
    const culprit = rejection(subject.exitSaying(7, 'out of coffee'));
    const errors = await Promise.all([call, stream, culprit]);
    expect(performance.now() - (await dead)).toBeLessThan(AT_ONCE);
    for (const error of errors) {
      expect(error).toBeInstanceOf(ProcessCrashedError);
      expect(error).toMatchObject({ code: 'PROCESS_CRASHED', exitCode: 7, signal: null, maybeExecuted: true, process: 'subject', stderrTail: expect.stringContaining('out of coffee') });
    }
    expect(errors.map(({ method }) => method)).toEqual(['hang', 'stream', 'exitSaying']);
    expect(errors[0]!.message).toMatch(/subject\.hang\(\): the process died while the call ran: it exited with code 7/);
    expect(await subject.count()).toBe(1);
    expect(subject.__processId).toBe(id);
    expect(subject.$handle.restarts).toBe(1);
    expect(incarnations).toEqual([2]);
  });

  it('that throws where nobody catches says what it threw', async () => {
    const subject = await spawn();
    const [thrown, rejected] = [await rejection(subject.throwLater('boom')), await rejection(subject.rejectLater('bang'))];
    for (const [error, text] of [[thrown, 'boom'], [rejected, 'bang']] as const) {
      expect(error).toBeInstanceOf(ProcessCrashedError);
      expect(error).toMatchObject({ exitCode: 1, maybeExecuted: true });
      if (isolation === 'worker') expect(error.cause).toMatchObject({ name: 'RangeError', message: text });
      else expect(error.stderrTail).toContain(`RangeError: ${text}`);
      expect(error.message).toContain(text);
    }
    expect(await subject.add(1, 2)).toBe(3);
  });

  it('whose caller was blocked itself gives no false timeout to a call that was answered in time', async () => {
    const subject = await spawn();
    const answer = subject.$with({ timeout: 500 }).sleep(10);
    await new Promise((resolve) => setImmediate(resolve));
    const end = performance.now() + 1_000;
    while (performance.now() < end);
    expect(await answer).toBe(10);
  });
});

describe.each(transports)('a child over %s', (transport) => {
  it('that is killed with SIGKILL rejects its calls and streams at once', async () => {
    const subject = await manager().spawn<Subject>(subjectFile, { isolation: 'child', transport });
    const { call, stream } = await busy(subject);
    const pid = subject.$handle.pid!;
    let diedAt = 0;
    const watch = setInterval(() => {
      if (alive(pid)) return;
      diedAt = performance.now();
      clearInterval(watch);
    }, 1);
    process.kill(pid, 'SIGKILL');
    const errors = await Promise.all([call, stream]);
    const told = performance.now();
    clearInterval(watch);
    if (diedAt > 0) expect(told - diedAt).toBeLessThan(AT_ONCE);
    for (const error of errors) {
      expect(error).toBeInstanceOf(ProcessCrashedError);
      expect(error).toMatchObject({ signal: 'SIGKILL', exitCode: null, maybeExecuted: true });
    }
    expect(await subject.add(1, 2)).toBe(3);
    expect(subject.$handle.pid).not.toBe(pid);
  });
});

describe.each(isolated)('the restart of a %s', (isolation) => {
  const spawn = (options = {}) => manager().spawn<Subject>(subjectFile, { isolation, ...options });

  it('touches no other process', async () => {
    const pm = manager();
    const [one, other] = await Promise.all([pm.spawn<Subject>(subjectFile, { isolation }), pm.spawn<Subject>(subjectFile, { isolation })]);
    await other.count();
    const running = other.sleep(150);
    await rejection(one.throwLater('boom'));
    expect(await running).toBe(150);
    expect(await other.count()).toBe(2);
    expect(other.$handle.restarts).toBe(0);
  });

  it('lets calls that are made meanwhile wait, in order, and run on the next incarnation', async () => {
    const subject = await spawn();
    const crash = next<unknown>((listener) => subject.$handle.on('crash', listener));
    const culprit = rejection(subject.exit(1));
    await crash;
    expect(subject.$handle.status).toBe('restarting');
    expect(await Promise.all([subject.count(), subject.count(), subject.count()])).toEqual([1, 2, 3]);
    await culprit;
  });

  it('a call made in the moment of death, before it was told, is not lost to the dead incarnation', async () => {
    const subject = await spawn();
    let meanwhile: Promise<number> | undefined;
    const off = subject.$handle.on('status', ({ to }) => {
      if (to === 'restarting') meanwhile = subject.count();
    });
    await rejection(subject.exit(1));
    off();
    expect(await meanwhile).toBe(1);
  });

  it('fails calls at once that are set to', async () => {
    const subject = await spawn({ restartPolicy: { backoff: { initial: '1m' } } });
    await rejection(subject.exit(1));
    const error = await rejection(subject.$with({ whileRestarting: 'fail' }).add(1, 2));
    expect(error).toBeInstanceOf(QueueFullError);
    expect(error.message).toMatch(/subject\.add\(\): the process is not ready/);
  });

  it('bounds the waiting by queueTimeout', async () => {
    const subject = await spawn({ restartPolicy: { backoff: { initial: '1m' } } });
    await rejection(subject.exit(1));
    const error = await rejection(subject.$with({ queueTimeout: 50 }).add(1, 2));
    expect(error).toBeInstanceOf(QueueTimeoutError);
    expect(error.message).toMatch(/waited 50 ms for it to restart; it never ran/);
  });

  it('runs an idempotent call again until it answers, and no other call', async () => {
    const subject = await spawn({ restartPolicy: { maxRestarts: 10, maxFailures: 10, backoff: { initial: 20 } } });
    const [repeated, once, asked] = [temporaryFile(), temporaryFile(), temporaryFile()];
    expect(await subject.idempotentEffect(repeated, 2)).toBe(3);
    expect(linesOf(repeated)).toHaveLength(3);
    expect(await rejection(subject.effect(once, 2))).toMatchObject({ code: 'PROCESS_CRASHED', method: 'effect' });
    await subject.add(1, 2);
    expect(linesOf(once)).toHaveLength(1);
    expect(await subject.$with({ idempotent: true }).effect(asked, 1)).toBe(2);
  });

  it('an idempotent call that kills every incarnation is given up', async () => {
    const subject = await spawn({ restartPolicy: { maxRestarts: 20, maxFailures: 20, backoff: { initial: 5, jitter: 0 } } });
    const file = temporaryFile();
    expect(await rejection(subject.idempotentEffect(file, 100))).toBeInstanceOf(ProcessCrashedError);
    expect(linesOf(file)).toHaveLength(4);
  });

  it('backs off, longer each time', async () => {
    const subject = await spawn({ restartPolicy: { maxRestarts: 10, backoff: { initial: 15, jitter: 0 } } });
    const delays: number[] = [];
    subject.$handle.on('restart', ({ delay }) => void delays.push(delay));
    for (let i = 0; i < 3; i++) await rejection(subject.exit(1));
    await subject.add(1, 2);
    expect(delays).toEqual([15, 30, 60]);
  });

  it('is given up after maxRestarts in the window; calls and health say why; restart() begins anew', async () => {
    const subject = await spawn({ restartPolicy: { maxRestarts: 2, backoff: { initial: 5 } } });
    const failed = next<{ error: Error }>((listener) => subject.$handle.on('failed', listener));
    const deaths: Error[] = [];
    for (let i = 0; i < 3; i++) deaths.push(await rejection(subject.exitSaying(9, 'no disk')));
    for (const death of deaths) expect(death).toBeInstanceOf(ProcessCrashedError);
    expect((await failed).error).toBeInstanceOf(RestartsExhaustedError);
    expect(subject.$handle.status).toBe('failed');
    const error = await rejection(subject.add(1, 2));
    expect(error).toBeInstanceOf(RestartsExhaustedError);
    expect(error.message).toMatch(/2 restarts within 60000 ms are used up.*exited with code 9/s);
    expect(error.cause).toMatchObject({ code: 'PROCESS_CRASHED', exitCode: 9, stderrTail: expect.stringContaining('no disk') });
    const health = await subject.$handle.health();
    expect(health.status).toBe('unhealthy');
    expect(health.checks[0]!.message).toMatch(/failed: .*restarts within 60000 ms are used up/s);
    await subject.$handle.restart();
    expect(subject.$handle.status).toBe('running');
    expect(await subject.add(1, 2)).toBe(3);
    expect((await subject.$handle.health()).status).toBe('healthy');
    await rejection(subject.exit(1));
    expect(await subject.add(1, 2)).toBe(3);
  });

  it('whose next start fails is tried again, and given up with the reason of that failure', async () => {
    const log = temporaryFile();
    const subject = await spawn({ dependencies: { log, failAfter: 1 }, restartPolicy: { maxRestarts: 2, backoff: { initial: 5 } } });
    await rejection(subject.exit(1));
    const error = await rejection(subject.add(1, 2));
    expect(error).toBeInstanceOf(RestartsExhaustedError);
    expect(error.message).toMatch(/will not come up again/);
    expect(linesOf(log)).toHaveLength(3);
  });

  it.each<[string, object, number, boolean]>([
    ['a permanent one comes back after a clean exit', { type: 'permanent' }, 0, true],
    ['a transient one stays down after a clean exit', { type: 'transient' }, 0, false],
    ['a transient one comes back after a failure', { type: 'transient' }, 1, true],
    ['a temporary one stays down after a failure', { type: 'temporary' }, 1, false],
    ['a disabled policy is temporary', { enabled: false }, 1, false],
  ])('%s', async (_, restartPolicy, code, comesBack) => {
    const subject = await spawn({ restartPolicy: { backoff: { initial: 5 }, ...restartPolicy } });
    await rejection(subject.exit(code));
    if (comesBack) expect(await subject.add(1, 2)).toBe(3);
    else {
      const error = await rejection(subject.add(1, 2));
      expect(error).toBeInstanceOf(ProcessStoppedError);
      expect(error.cause).toMatchObject({ code: 'PROCESS_CRASHED', exitCode: code });
      expect(subject.$handle.status).toBe(code === 0 ? 'stopped' : 'failed');
      await subject.$handle.restart();
      expect(await subject.add(1, 2)).toBe(3);
    }
  });
});

describe.each(cells)('a stuck loop in a $isolation over $transport', ({ isolation, transport }) => {
  it('is killed and started again after a call of it timed out or was aborted, and only its own calls fail', async () => {
    const pm = manager({ stuckTimeout: 200 });
    const [stuck, other] = await Promise.all([0, 1].map(() => pm.spawn<Subject>(subjectFile, { isolation, transport })));
    const bystander = other!.hang();
    let bystanderFailed = false;
    bystander.catch(() => (bystanderFailed = true));
    const own = rejection(stuck!.hang());
    expect(await rejection(stuck!.$with({ timeout: 60 }).spin())).toBeInstanceOf(CallTimeoutError);
    const error = await own;
    expect(error).toBeInstanceOf(ProcessCrashedError);
    expect(error.message).toMatch(/subject\.hang\(\): .*its event loop did not answer for 200 ms, so it was killed/);
    expect(await stuck!.add(1, 2)).toBe(3);

    const controller = new AbortController();
    const spinning = rejection(stuck!.$with({ signal: controller.signal }).spin());
    const restarted = next((listener) => stuck!.$handle.on('ready', listener));
    controller.abort(new Error('enough'));
    expect((await spinning).message).toBe('enough');
    await restarted;
    expect(await stuck!.add(1, 2)).toBe(3);
    expect(stuck!.$handle.restarts).toBe(2);
    expect(await other!.count()).toBe(1);
    expect(other!.$handle.restarts).toBe(0);
    expect(bystanderFailed).toBe(false);
  });
});

describe.each(isolated)('a %s', (isolation) => {
  // A timer of Node that is asked to wait longer than it can fires at once.
  it.each([Infinity, '30d'])('may have all the time to start and to answer: %s', async (long) => {
    const subject = await manager({ startupTimeout: long, stuckTimeout: long }).spawn<Subject>(subjectFile, { isolation });
    expect(await rejection(subject.$with({ timeout: 20 }).spinFor(300))).toBeInstanceOf(CallTimeoutError);
    expect(await subject.add(1, 2)).toBe(3);
    expect(subject.$handle.restarts).toBe(0);
  });

  it('that answers again soon after a timeout is left alone', async () => {
    const subject = await manager({ stuckTimeout: 2000 }).spawn<Subject>(subjectFile, { isolation });
    await subject.count();
    await rejection(subject.$with({ timeout: 30 }).spinFor(150));
    await rejection(subject.$with({ timeout: 30 }).hang());
    expect(await subject.count()).toBe(2);
    expect(subject.$handle.restarts).toBe(0);
  });

  it('that goes over its memory limit is ended with a MemoryLimitError and started again', async () => {
    const subject = await manager().spawn<Subject>(subjectFile, { isolation, resources: { maxMemory: '24MB' } });
    const [leaking, beside] = await Promise.all([rejection(subject.leak()), rejection(subject.hang())]);
    for (const error of [leaking, beside]) {
      expect(error).toBeInstanceOf(MemoryLimitError);
      expect(error).toMatchObject({ code: 'MEMORY_LIMIT', process: 'subject', limit: 24 * 1024 * 1024, maybeExecuted: true });
    }
    expect(leaking!.method).toBe('leak');
    expect(await subject.add(1, 2)).toBe(3);
    expect(subject.$handle.restarts).toBe(1);
  });

  it.each(['unix', 'tcp', 'ws'] as const)('whose %s link is dropped keeps its state; what was in flight is told, and the link comes back', async (transport) => {
    const subject = await manager().spawn<Subject>(subjectFile, { isolation, transport });
    const { pid, threadId } = subject.$handle;
    expect(await subject.count()).toBe(1);
    const { call, stream } = await busy(subject);
    const dropped = rejection(subject.dropLinks());
    for (const error of await Promise.all([dropped, call, stream])) {
      expect(error).toBeInstanceOf(LinkClosedError);
      expect(error).toMatchObject({ code: 'LINK_CLOSED', maybeExecuted: true, process: 'subject' });
    }
    expect(await subject.count()).toBe(2);
    expect(subject.$handle).toMatchObject({ pid, threadId, restarts: 0, status: 'running' });
    // Again, and from then on as before: it dies like any other.
    await rejection(subject.dropLinks());
    expect(await subject.count()).toBe(3);
    expect(await rejection(subject.exit(3))).toMatchObject({ code: 'PROCESS_CRASHED', exitCode: 3 });
    expect(await subject.count()).toBe(1);
  });
});
