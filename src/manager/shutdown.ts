// The end of a manager and of all it has started, with a bound. Each wait for another side has its own; the one over all of them is here.
// Invariant: it is over FORCE_MS after its deadline at the latest (LAST_RESORT_MS where the kernel holds a child), and what has
// not ended by then is named.
import { ShutdownIncompleteError, type LeftBehind } from '../errors.js';
import { deadline } from '../runtime/deadline.js';
import { within } from '../runtime/within.js';
import type { ManagedProcess } from './managed-process.js';
import { describeLeft, type Remnants } from './remnants.js';

/** What is killed when its grace is over needs some time to end: taken from the time that is given, up to a fifth of it, ms. */
const FORCE_MS = 500;
const FORCE_SHARE = 0.2;
/** Longest wait for what owns processes to notice that they have ended, ms. */
const SETTLE_MS = 1_000;
/** From the end of the grace to the moment when nothing is waited for any more, ms: a killed child may hang in the kernel. */
const LAST_RESORT_MS = 6_000;

export interface Ends {
  /** Isolations and groups. */
  readonly owners: Iterable<{ shutdown(options: { timeout: number; reason: string }): Promise<unknown> }>;
  readonly pools: Iterable<{ stop(options: { timeout: number; reason: string }): Promise<unknown> }>;
  readonly processes: readonly ManagedProcess[];
  /** Those of them that nobody else ends. */
  readonly free: readonly ManagedProcess[];
  /** Boots that no process has taken over. */
  early(): Iterable<{ discard(): Promise<unknown> }>;
  /** What is left of the supervisor: connections, and starts that nobody waits for. */
  supervisor(options: { signal: AbortSignal; gracePeriod: number }): Promise<unknown>;
  readonly remnants: Remnants;
}

/** @throws ShutdownIncompleteError */
export async function shutDown(ends: Ends, { began, timeout, reason }: { began: number; timeout: number; reason: string }): Promise<void> {
  const grace = timeout - Math.min(FORCE_MS, timeout * FORCE_SHARE);
  const left = (until: number) => Math.max(0, until - (performance.now() - began));
  const failures: unknown[] = [];
  const settled = async (work: Iterable<Promise<unknown>>) => {
    for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') failures.push(result.reason);
  };
  const options = { timeout: grace, reason };
  const lastResort = deadline(grace + LAST_RESORT_MS);
  const endAll = async () => {
    const owners = settled(Array.from(ends.owners, (owner) => owner.shutdown(options)));
    await settled([within(owners, grace), ...Array.from(ends.pools, (pool) => pool.stop(options)), ...ends.free.map((process) => process.stop(options))]);
    await settled(ends.processes.map((process) => process.stop({ timeout: left(grace), reason })));
    // What no process has taken over by now, none will.
    await settled(Array.from(ends.early(), (early) => early.discard()));
    // What they had under way has ended with the processes.
    await within(owners, SETTLE_MS);
    await settled([ends.supervisor({ signal: lastResort.signal, gracePeriod: left(grace) })]);
  };
  await within(endAll(), grace + LAST_RESORT_MS);
  lastResort.done();
  await ends.remnants.ended(left(Math.max(timeout, grace + FORCE_MS)));
  const running = ends.processes.flatMap(({ name, pid, threadId, running: up }): LeftBehind[] => (up ? [{ name, pid, threadId, why: 'it has not been ended' }] : []));
  const all = [...ends.remnants.list(), ...running, ...failures.flatMap((error) => (error instanceof ShutdownIncompleteError ? error.left : []))];
  const cause = failures.find((error) => !(error instanceof ShutdownIncompleteError)) ?? failures[0];
  if (all.length === 0 && failures.length === 0) return;
  const what = all.length > 0 ? all.map(describeLeft).join('\n  ') : String(cause);
  throw new ShutdownIncompleteError(`after ${Math.round(performance.now() - began)} ms not everything has ended:\n  ${what}`, { left: all, ...(cause === undefined ? {} : { cause }) });
}
