// What the supervisor tests share: a syncer that records what is asked of it, under a clock that only the test moves.
import { FakeClock } from '../../src/testing/fake-clock.js';
import { Supervisor, type SupervisorOptions, type SyncContext, type SyncResult, type Syncer, type TerminatingContext, type UpdateType } from '../../src/supervisor/index.js';

export interface SyncCall { id: string; updateType: UpdateType; config: unknown; cause: string; at: number; generation: number }

export class RecordingSyncer implements Syncer<string> {
  syncs: SyncCall[] = [];
  terminating: { id: string; grace: number; config: string; at: number }[] = [];
  terminated: { id: string; config: string }[] = [];
  onSync: (ctx: SyncContext, updateType: UpdateType, config: string) => Promise<SyncResult | void> | SyncResult | void = () => undefined;
  onTerminating: (ctx: TerminatingContext, config: string) => Promise<void> | void = () => undefined;
  onTerminated: () => Promise<void> | void = () => undefined;
  readonly clock: FakeClock;

  constructor(clock: FakeClock) {
    this.clock = clock;
  }

  syncProcess(ctx: SyncContext, updateType: UpdateType, config: string) {
    this.syncs.push({ id: ctx.id, updateType, config, cause: ctx.cause, at: this.clock.now(), generation: ctx.generation });
    return this.onSync(ctx, updateType, config);
  }

  syncTerminatingProcess(ctx: TerminatingContext, config: string) {
    this.terminating.push({ id: ctx.id, grace: ctx.gracePeriod, config, at: this.clock.now() });
    return this.onTerminating(ctx, config);
  }

  syncTerminatedProcess(ctx: { id: string }, config: string) {
    this.terminated.push({ id: ctx.id, config });
    return this.onTerminated();
  }
}

export function setUp(options: Partial<SupervisorOptions<string>> = {}) {
  const clock = new FakeClock(1_000_000);
  const syncer = new RecordingSyncer(clock);
  const supervisor = new Supervisor<string>({ syncer, clock, ...options });
  const transitions: string[] = [];
  supervisor.on('transition', ({ id, from, to }) => transitions.push(`${id}: ${from}→${to}`));
  const create = (id: string, config = 'c1') => supervisor.updateProcess({ id, updateType: 'create', config });
  const terminate = (id: string, gracePeriod?: number) => supervisor.updateProcess({ id, updateType: 'terminate', terminateOptions: gracePeriod === undefined ? {} : { gracePeriod } });
  return { clock, syncer, supervisor, transitions, create, terminate };
}

/** Whether a promise has settled, as far as it can without time passing. */
export async function settled(promise: Promise<unknown>, clock: FakeClock): Promise<boolean> {
  let done = false;
  promise.then(() => (done = true), () => (done = true));
  await clock.flush();
  return done;
}

export const gaps = (times: readonly number[]) => times.slice(1).map((time, i) => time - times[i]!);
