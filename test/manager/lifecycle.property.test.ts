// Random sequences of all that can happen to processes and pools: deaths, restarts, stops, scaling, reloads, all at once. Whatever the
// order: each status is a legal step, each call and each request settles, the pool has its size again, and nothing runs that the
// manager does not list. `MIMAS_RUNS=200` looks longer; a failure prints its seed.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { createProcessManager, type ProcessManager } from 'mimas';
import { livingChildren, livingThreads } from '../helpers/living.js';
import { FILE, until, type Worker } from '../pool/helpers.js';

/** The compiler of the fixture has a thread, too. */
let ofTools: number[] = [];
beforeAll(() => {
  ofTools = livingThreads();
});
const RUNS = Number(process.env['MIMAS_RUNS'] ?? 6);
const SIZE = 2;
/** Longest wait for a request to settle, and for what is left to become what it should be, ms. */
const LIMIT = 20_000;

type Step = { readonly do: 'restart' | 'restart twice' | 'stop' | 'kill' | 'kill -9' | 'exit' | 'throw' | 'call' | 'scale' | 'reload'; readonly which: number; readonly pause: number };
const steps = (kinds: Step['do'][]) =>
  fc.array(fc.record({ do: fc.constantFrom(...kinds), which: fc.nat(3), pause: fc.constantFrom(0, 0, 0, 1, 5, 20, 60) }), { minLength: 1, maxLength: 12 });

const ofOne: Step['do'][] = ['restart', 'restart', 'restart twice', 'stop', 'kill', 'kill -9', 'kill -9', 'exit', 'exit', 'throw', 'call'];
const ofPool: Step['do'][] = [...ofOne, 'scale', 'reload'];

function setUp(isolation: 'worker' | 'child', maxRestarts: number) {
  return createProcessManager({ isolation, output: 'capture', gracePeriod: 2_000, queueTimeout: 5_000, restartPolicy: { maxRestarts, maxFailures: Infinity, backoff: { initial: 5, max: 20 } } });
}

/** Those that the manager says run, and those that do. */
function compare(pm: ProcessManager, isolation: 'worker' | 'child') {
  const listed = pm.listProcesses().filter(({ pid }) => pid !== undefined);
  const known = listed.map(({ pid, threadId }) => (isolation === 'child' ? pid! : threadId!)).sort((a, b) => a - b);
  return { known, real: isolation === 'child' ? livingChildren() : livingThreads().filter((id) => !ofTools.includes(id)) };
}

async function settled(work: Promise<unknown>[]): Promise<void> {
  let over = false;
  void Promise.allSettled(work).then(() => (over = true));
  await until(() => over, LIMIT);
}

/** Waits until what runs is what is listed, and `size` of it. */
async function accounted(pm: ProcessManager, isolation: 'worker' | 'child', size: () => number): Promise<void> {
  const wanted = () => {
    const { known, real } = compare(pm, isolation);
    return known.length === size() && real.join() === known.join();
  };
  await until(wanted, LIMIT).catch(() => expect({ size: size(), ...compare(pm, isolation), list: pm.listProcesses() }).toBe('accounted for'));
}

const pause = (ms: number) => (ms === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms)));

interface Subject {
  invoke(method: 'exit' | 'throwLater' | 'slow', arg: number): Promise<unknown>;
  scale?(size: number): Promise<unknown>;
  reload?(): Promise<unknown>;
}

/** Does one step, and does not wait for it. */
function begin(pm: ProcessManager, { do: what, which }: Step, subject: Subject): Promise<unknown>[] {
  const all = pm.listProcesses();
  const chosen = all[which % Math.max(1, all.length)];
  if (!chosen) return [];
  switch (what) {
    case 'restart':
      return [pm.restart(chosen.id)];
    case 'restart twice':
      return [pm.restart(chosen.id), pm.restart(chosen.id)];
    case 'stop':
      return [pm.stop(chosen.id)];
    case 'kill':
      return [pm.kill(chosen.id)];
    case 'kill -9':
      if (chosen.isolation === 'child' && chosen.pid !== undefined) process.kill(chosen.pid, 'SIGKILL');
      return chosen.isolation === 'worker' ? [subject.invoke('exit', 1)] : [];
    case 'exit':
      return [subject.invoke('exit', which)];
    case 'throw':
      return [subject.invoke('throwLater', which)];
    case 'call':
      return [subject.invoke('slow', which * 10)];
    case 'scale':
      return [subject.scale!(which)];
    case 'reload':
      return [subject.reload!()];
  }
}

/** A restart that is asked for as soon as a status is told: the moment at which states between two steps are seen. */
function react(pm: ProcessManager, note: (one: Promise<unknown>) => void): void {
  let left = 2;
  pm.on('status', ({ id, to }) => {
    if ((to === 'restarting' || to === 'stopping') && left-- > 0) note(pm.restart(id));
  });
}

describe.each(['worker', 'child'] as const)('in isolation %s', (isolation) => {
  it.each([{ name: 'endlessly', maxRestarts: Infinity }, { name: 'twice', maxRestarts: 2 }])('a process that is restarted $name comes through any sequence of events', async ({ maxRestarts }) => {
    await fc.assert(
      fc.asyncProperty(steps(ofOne), fc.boolean(), async (sequence, reacting) => {
        const pm = setUp(isolation, maxRestarts);
        const process = await pm.spawn<Worker>(FILE);
        const work: Promise<unknown>[] = [];
        const note = (one: Promise<unknown>) => void work.push(one.catch(() => {}));
        if (reacting) react(pm, note);
        const subject: Subject = { invoke: (method, arg) => (process[method] as (arg: number) => Promise<unknown>)(arg) };
        for (const step of sequence) {
          begin(pm, step, subject).forEach(note);
          await pause(step.pause);
        }
        await settled(work);
        await until(() => ['running', 'stopped', 'failed'].includes(process.$handle.status), LIMIT);
        await process.$handle.restart();
        // A throw that was ordered may still be on its way; its death is mended, too.
        await until(async () => (await process.add(1, 2).catch(() => 0)) === 3, LIMIT);
        await accounted(pm, isolation, () => 1);
        await pm.shutdown();
        expect(compare(pm, isolation)).toEqual({ known: [], real: [] });
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
  }, RUNS * 20_000);

  it.each([0, 1])('a pool with %i spares heals after any sequence of events', async (spares) => {
    await fc.assert(
      fc.asyncProperty(steps(ofPool), fc.boolean(), async (sequence, reacting) => {
        const pm = setUp(isolation, Infinity);
        const pool = await pm.pool<Worker>(FILE, { size: SIZE, spares });
        const work: Promise<unknown>[] = [];
        const note = (one: Promise<unknown>) => void work.push(one.catch(() => {}));
        if (reacting) react(pm, note);
        const subject: Subject = {
          invoke: (method, arg) => (pool.$with({ queueTimeout: 5_000 })[method] as (arg: number) => Promise<unknown>)(arg),
          scale: (size) => pool.$handle.scale(1 + (size % 3)),
          reload: () => pool.$handle.reload(),
        };
        for (const step of sequence) {
          begin(pm, step, subject).forEach(note);
          await pause(step.pause);
        }
        await settled(work);
        await pool.$handle.scale(SIZE);
        await until(() => pool.$handle.size === SIZE && pool.$handle.replicas().every(({ status }) => status === 'running'), LIMIT);
        await until(async () => (await pool.add(1, 2).catch(() => 0)) === 3, LIMIT);
        // Nothing is left but the replicas and the spares.
        await accounted(pm, isolation, () => SIZE + spares);
        await pm.shutdown();
        expect(compare(pm, isolation)).toEqual({ known: [], real: [] });
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
  }, RUNS * 20_000);
});
