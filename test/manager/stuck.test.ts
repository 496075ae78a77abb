// Threads that are inside native code, which nothing can interrupt: whoever decides to end one does not wait for it. Its calls are told,
// the next incarnation starts beside it, a shutdown ends at its deadline and names it; what it does later touches nobody.
import { pbkdf2Sync } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CallTimeoutError, createProcessManager, ProcessCrashedError, ProcessStartError, ProcessStoppedError, ShutdownIncompleteError, type ManagerOptions, type ProcessManager, type TransportName } from 'mimas';
import { livingThreads } from '../helpers/living.js';
import { FILE, until, type Worker } from '../pool/helpers.js';
import { alive, rejection, subjectFile, transports, type Subject } from './helpers.js';

/** The time of the native code, and what is far below it, ms. */
const STUCK = 4_000;
const SOON = 2_200;
let ITERATIONS = 0;
beforeAll(() => {
  // By the fastest of some tries: others may slow this machine down.
  const tries = Array.from({ length: 5 }, () => {
    const began = performance.now();
    pbkdf2Sync('secret', 'salt', 20_000, 64, 'sha512');
    return performance.now() - began;
  });
  ITERATIONS = Math.round((20_000 * STUCK) / Math.min(...tries));
});

const unhandled: unknown[] = [];
const hear = (error: unknown) => void unhandled.push(error);
beforeAll(() => void process.on('unhandledRejection', hear));
afterAll(() => void process.off('unhandledRejection', hear));

let ofTools: number[] = [];
beforeAll(() => {
  ofTools = livingThreads();
});
const ours = () => livingThreads().filter((id) => !ofTools.includes(id));

const managers: ProcessManager[] = [];
afterEach(async () => {
  await Promise.all(managers.splice(0).map((pm) => pm.shutdown({ timeout: 0 }).catch(() => {})));
  // The next test measures times: nothing of this one may run beside it.
  await until(() => ours().length === 0, 60_000);
  expect(unhandled.splice(0)).toEqual([]);
});

function manager(options: ManagerOptions = {}): ProcessManager {
  const made = createProcessManager({ output: 'capture', stuckTimeout: 200, gracePeriod: 300, restartPolicy: { backoff: { initial: 20 } }, ...options });
  managers.push(made);
  return made;
}

/** How long `work` took, ms. */
async function timed(work: Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work;
  return performance.now() - began;
}

/** A call that will be inside native code when this resolves. */
async function stick(subject: { derive(iterations: number): Promise<unknown>; add(a: number, b: number): Promise<unknown> }): Promise<{ error: Promise<Error & Record<string, unknown>> }> {
  await subject.add(1, 2);
  const error = rejection(subject.derive(ITERATIONS));
  // Sent, and taken by a thread that had nothing else to do.
  await new Promise((resolve) => setTimeout(resolve, 50));
  return { error };
}

describe.each(transports.map((transport) => ({ transport })))('a thread over $transport that is stuck in native code', ({ transport }) => {
  const spawn = async (options: ManagerOptions = {}) => {
    const pm = manager(options);
    const subject = await pm.spawn<Subject>(subjectFile, { transport: transport as TransportName });
    return { pm, subject, thread: subject.$handle.threadId! };
  };

  it('is found when a call of it times out: all its calls are told, and the next incarnation answers beside it', async () => {
    const { subject, thread } = await spawn();
    const stuck = await stick(subject as never);
    const errors = await Promise.all([stuck.error, rejection(subject.$with({ timeout: 100 }).add(1, 2)), rejection(subject.add(1, 2))]);
    expect(errors[0]).toBeInstanceOf(ProcessCrashedError);
    expect(errors[0].message).toMatch(/subject\.derive\(\): the process died while the call ran: its event loop did not answer for 200 ms/);
    expect(errors[1]).toBeInstanceOf(CallTimeoutError);
    expect(errors[2]).toBeInstanceOf(ProcessCrashedError);
    expect(await subject.count()).toBe(1);
    expect(ours()).toContain(thread);
    // Its end is none of the new one's.
    await until(() => !ours().includes(thread), 60_000);
    expect(await subject.count()).toBe(2);
    expect(subject.$handle).toMatchObject({ status: 'running', restarts: 1 });
  });

  it.each(transport === 'ipc' ? (['stop', 'kill', 'restart'] as const) : (['restart'] as const))('is not waited for by %s', async (how) => {
    const { pm, subject, thread } = await spawn();
    const stuck = await stick(subject as never);
    expect(await timed(Promise.all([pm[how](subject), stuck.error]))).toBeLessThan(SOON);
    expect(await stuck.error).toBeInstanceOf(ProcessStoppedError);
    if (how !== 'restart') await pm.restart(subject);
    expect(await subject.count()).toBe(1);
    expect(ours()).toContain(thread);
    await until(() => !ours().includes(thread), 60_000);
    expect(await subject.count()).toBe(2);
  });

  it('is named by a shutdown, which ends at its deadline', async () => {
    const { pm, subject, thread } = await spawn();
    const stuck = await stick(subject as never);
    const began = performance.now();
    const error = await rejection(pm.shutdown({ timeout: 1_000 }));
    expect(performance.now() - began).toBeLessThan(SOON);
    expect(error).toBeInstanceOf(ShutdownIncompleteError);
    expect(error).toMatchObject({ code: 'SHUTDOWN_INCOMPLETE', left: [{ name: 'subject', pid: process.pid, threadId: thread, why: expect.stringContaining('native code') }] });
    expect(error.message).toContain(`subject (thread ${thread}): it is stuck in native code`);
    expect(await stuck.error).toBeInstanceOf(ProcessStoppedError);
    expect(ours()).toContain(thread);
  });
});

describe('a thread that is stuck in native code', () => {
  it('from the start rejects the spawn in time, and is named by the shutdown', async () => {
    const pm = manager();
    const error = await rejection(pm.spawn(subjectFile, { dependencies: { derive: ITERATIONS }, startupTimeout: 500 }));
    expect(error).toBeInstanceOf(ProcessStartError);
    expect(error.message).toMatch(/not ready within 500 ms; it hangs in phase 'init'/);
    const left = await rejection(pm.shutdown({ timeout: 200 }));
    expect(left).toMatchObject({ code: 'SHUTDOWN_INCOMPLETE', left: [{ name: 'subject', why: expect.stringContaining('native code') }] });
  });

  it('is forgotten once it has ended: a later shutdown has nothing to say', async () => {
    const pm = manager();
    const subject = await pm.spawn<Subject>(subjectFile);
    const stuck = await stick(subject as never);
    await pm.kill(subject);
    await stuck.error;
    await until(() => ours().length === 0, 60_000);
    await pm.shutdown({ timeout: 1_000 });
  });

  it('is told by the end of an `await using` block, too', async () => {
    const block = async () => {
      await using pm = createProcessManager({ gracePeriod: 300 });
      const subject = await pm.spawn<Subject>(subjectFile);
      await stick(subject as never);
    };
    expect(await rejection(block())).toBeInstanceOf(ShutdownIncompleteError);
  });

  it('as a replica is replaced, and its pool goes on', async () => {
    const pm = manager();
    const pool = await pm.pool<Worker>(FILE, { size: 2, strategy: 'round-robin' });
    const stuck = await stick(pool as never);
    // In turn: half of them meet the one that is stuck.
    const calls = await Promise.allSettled(Array.from({ length: 4 }, () => pool.$with({ timeout: 100 }).add(1, 2)));
    expect(calls.map(({ status }) => status).sort()).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected']);
    expect(await stuck.error).toBeInstanceOf(ProcessCrashedError);
    await until(() => pool.$handle.replicas().every(({ status }) => status === 'running'));
    expect(await Promise.all([pool.add(1, 2), pool.add(3, 4)])).toEqual([3, 7]);
    expect(ours()).toHaveLength(3);
  });

  it('of a CPU pool is left when its call is over, and named by the shutdown', async () => {
    const pm = manager({ output: 'inherit', stuckTimeout: 5_000 });
    const pool = await pm.pool<Worker>(FILE, { size: 1, workload: 'cpu' });
    await pool.add(1, 2);
    const [thread] = ours();
    expect(await rejection(pool.$with({ timeout: 200 }).derive(ITERATIONS))).toBeInstanceOf(CallTimeoutError);
    expect(await pool.add(1, 2)).toBe(3);
    expect(ours()).toContain(thread);
    const error = await rejection(pm.shutdown({ timeout: 500 }));
    expect(error).toMatchObject({ code: 'SHUTDOWN_INCOMPLETE', left: [{ name: 'worker', threadId: thread, why: expect.stringContaining('native code') }] });
  });

  it.each(['io', 'cpu'] as const)('does not hold up the end of its pool (%s), and its call is told', async (workload) => {
    const pm = manager({ output: 'inherit', stuckTimeout: 5_000 });
    const pool = await pm.pool<Worker>(FILE, { size: 1, workload });
    const stuck = await stick(pool as never);
    expect(await timed(pool.$handle.stop({ timeout: 300 }))).toBeLessThan(SOON);
    expect(await stuck.error).toMatchObject({ code: 'PROCESS_STOPPED', maybeExecuted: true });
    expect(ours()).toHaveLength(1);
  });

  it('under a key is not waited for: the key has another process at once', async () => {
    const pm = manager();
    const tenants = pm.isolate<Subject>(subjectFile);
    const a = { namespace: 'a' };
    const stuck = await stick((await tenants.get(a)) as never);
    expect(await timed(tenants.terminate(a, { grace: 200 }))).toBeLessThan(SOON);
    await stuck.error;
    expect(await (await tenants.get(a)).count()).toBe(1);
    expect(ours()).toHaveLength(2);
    expect(await timed(tenants.shutdown({ timeout: 300 }))).toBeLessThan(SOON);
  });

  it('in a tree is not waited for by its restart or its stop', async () => {
    const pm = manager();
    const tree = await pm.supervise([{ name: 'a', file: subjectFile }, { name: 'b', file: subjectFile }]);
    const stuck = await stick(tree.get<Subject>('a') as never);
    expect(await timed(tree.restart('a'))).toBeLessThan(SOON);
    await stuck.error;
    expect(await tree.get<Subject>('a').count()).toBe(1);
    const again = await stick(tree.get<Subject>('b') as never);
    expect(await timed(tree.stop({ timeout: 300 }))).toBeLessThan(SOON);
    await again.error;
  });
});

describe('a child', () => {
  it.each(['is stuck in native code', 'is stopped by a signal'])('that %s is killed: nothing is left, and the shutdown says nothing', async (how) => {
    const pm = manager({ isolation: 'child' });
    const subject = await pm.spawn<Subject>(subjectFile);
    const { pid } = subject.$handle;
    const stuck = how.includes('native') ? await stick(subject as never) : { error: rejection(subject.hang()) };
    if (!how.includes('native')) process.kill(pid!, 'SIGSTOP');
    expect(await timed(pm.shutdown({ timeout: 500 }))).toBeLessThan(SOON);
    expect(await stuck.error).toBeInstanceOf(ProcessStoppedError);
    expect(alive(pid!)).toBe(false);
  });
});
