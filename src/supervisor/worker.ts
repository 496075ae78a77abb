// One unit in one life, from Starting to Finished. A worker runs one hook of the syncer at a time, whatever arrives meanwhile:
// the latest update waits in a single slot, the wish to end cancels a running sync, and every promise given out resolves.
import { RestartsExhaustedError } from '../errors.js';
import { jitter } from './backoff.js';
import { isTransient, toError, type Engine } from './engine.js';
import { Lifecycle, type Phase } from './lifecycle.js';
import { limitText, RestartTracker, type ExitEvent, type RestartLimit } from './restart-policy.js';
import type { RestartPolicy } from './restart-options.js';
import { HEALTHY_ERRORS, type EndReason, type ProcessStatus } from './status.js';
import type { ExitReport, SyncCause, SyncContext, SyncResult, UpdateType } from './syncer.js';
import { Termination, type TerminationRequest } from './termination.js';

const RESYNC_JITTER = 0.1;

type Waiter = (status: ProcessStatus) => void;
interface Pending<Config> { type: UpdateType; config: Config | undefined; waiters: Waiter[] }

export class Worker<Config> {
  readonly id: string;
  readonly generation: number;
  readonly #engine: Engine<Config>;
  readonly #lifecycle = new Lifecycle();
  readonly #tracker: RestartTracker;
  readonly #onFinished: (worker: Worker<Config>) => void;
  #config: Config;
  #pending: Pending<Config> | undefined;
  /** Those who wait for an update that has been taken up, but has not succeeded yet. */
  #applying: Waiter[] = [];
  #terminatedWaiters: Waiter[] = [];
  #sync: AbortController | undefined;
  #exit: ExitReport | undefined;
  #termination: Termination<Config> | undefined;
  #nextCause: SyncCause = 'resync';
  #busy = false;
  #due = false;
  #again = false;
  #down = false;
  #errorCount = 0;
  #lastError: Error | undefined;
  #lastSync: number | undefined;
  #restartCount = 0;
  #endReason: EndReason | undefined;

  constructor(engine: Engine<Config>, unit: { id: string; generation: number; config: Config; restartPolicy: RestartPolicy }, onFinished: (worker: Worker<Config>) => void) {
    this.#engine = engine;
    this.id = unit.id;
    this.generation = unit.generation;
    this.#config = unit.config;
    this.#tracker = new RestartTracker(unit.restartPolicy, engine.random);
    this.#onFinished = onFinished;
  }

  get phase(): Phase {
    return this.#lifecycle.phase;
  }

  /** Finished, and the worker has let go: only now may a successor begin. */
  get finished(): boolean {
    return this.phase === 'Finished' && !this.#busy;
  }

  get evict(): boolean {
    return this.#termination?.evict ?? false;
  }

  status(): ProcessStatus {
    return {
      id: this.id,
      state: this.phase,
      healthy: this.phase === 'Syncing' && !this.#down && this.#errorCount < HEALTHY_ERRORS,
      down: this.#down,
      lastSync: this.#lastSync,
      errorCount: this.#errorCount,
      lastError: this.#lastError,
      restartCount: this.#restartCount,
      generation: this.generation,
      nextSyncAt: this.#engine.queue.dueAt(this.id),
      endReason: this.#endReason,
      uptime: this.#lifecycle.uptime(this.#engine.clock.now()),
    };
  }

  /** Takes the latest update; resolves when it, or a later one, has been applied, or when the unit is Terminated. */
  update(type: UpdateType, config: Config | undefined, restartPolicy?: RestartPolicy): Promise<ProcessStatus> {
    if (!this.#lifecycle.alive) return this.terminated();
    if (restartPolicy) this.#tracker.policy = restartPolicy;
    return new Promise((resolve) => {
      const before = this.#pending;
      // A config that was never applied is not lost to a later plain `sync`, nor a `create` to the update that follows it.
      this.#pending = {
        type: before && (before.type === 'create' || type === 'sync') ? before.type : type,
        config: config ?? before?.config,
        waiters: [...(before?.waiters ?? []), resolve],
      };
      this.#wake();
    });
  }

  /** Resolves at Terminated. */
  terminated(): Promise<ProcessStatus> {
    if (this.phase === 'Terminated' || this.phase === 'Finished') return Promise.resolve(this.status());
    return new Promise((resolve) => this.#terminatedWaiters.push(resolve));
  }

  terminate(reason: EndReason, request: TerminationRequest = {}): Promise<ProcessStatus> {
    if (this.#lifecycle.alive) {
      this.#endReason = reason;
      this.#termination = new Termination(this.#engine, this.id, this.generation);
      this.#advance('Terminating');
      this.#engine.queue.delete(this.id);
      this.#sync?.abort(new DOMException(`${this.id} is to end (${reason})`, 'AbortError'));
    }
    this.#termination?.merge(request);
    if (this.phase !== 'Finished') this.#wake();
    return this.terminated();
  }

  /** The time of the queue entry has come. */
  due(): void {
    this.#due = true;
    this.#wake();
  }

  /** The grace is over, or the shutdown deadline has passed. */
  hurry(): void {
    this.#termination?.hurry();
  }

  /** The thing died by itself. False when nothing of the kind was up. */
  exited(report: ExitReport): boolean {
    if (!this.#lifecycle.alive || (report.generation ?? this.generation) !== this.generation) return false;
    if (this.#sync) {
      // Whatever the running sync makes of it, this attempt has failed: judged once, when the sync has settled.
      this.#exit = report;
      this.#sync.abort(report.error ?? new DOMException(`${this.id} has died`, 'AbortError'));
      return true;
    }
    if (this.phase !== 'Syncing' || this.#down) return false;
    this.#judgeExit(report);
    return true;
  }

  #wake(): void {
    this.#again = true;
    if (this.#busy) return;
    this.#busy = true;
    // Not at once: updates made in one go coalesce, and nothing of the syncer runs inside the caller.
    queueMicrotask(() => void this.#loop());
  }

  async #loop(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      await this.#step();
    }
    this.#busy = false;
    if (this.phase === 'Finished') this.#onFinished(this);
  }

  async #step(): Promise<void> {
    if (this.#lifecycle.alive) {
      if (this.#pending || this.#due) await this.#runSync();
      return;
    }
    const termination = this.#termination;
    if (!termination || this.phase === 'Finished') return;
    this.#engine.queue.delete(this.id);
    if (this.phase === 'Terminating') {
      if (!(await this.#attempt(termination, 'termination_error', () => termination.runTerminating(this.#config)))) return;
      this.#advance('Terminated');
      this.#engine.metrics.processTerminationDuration(this.id, this.#engine.clock.now() - this.#lifecycle.terminatingAt!);
      for (const resolve of [...this.#applying.splice(0), ...(this.#pending?.waiters ?? []), ...this.#terminatedWaiters.splice(0)]) resolve(this.status());
      this.#pending = undefined;
    }
    if (!(await this.#attempt(termination, 'cleanup_error', () => termination.runTerminated(this.#config)))) return;
    this.#again = false;
    this.#advance('Finished');
    this.#engine.events.emit('finished', { id: this.id, generation: this.generation, reason: this.#endReason!, error: this.#lastError });
  }

  /** An ending hook that fails is tried again with backoff, for ever: what may still run is not forgotten. */
  async #attempt(termination: Termination<Config>, errorType: 'termination_error' | 'cleanup_error', run: () => Promise<void>): Promise<boolean> {
    try {
      await run();
      return true;
    } catch (thrown) {
      this.#recordError(thrown, errorType, termination.retryDelay(isTransient(thrown)));
      return false;
    }
  }

  async #runSync(): Promise<void> {
    const update = this.#pending;
    const cause: SyncCause = this.#down ? 'restart' : update ? 'update' : this.#nextCause;
    const updateType = update?.type ?? 'sync';
    this.#pending = undefined;
    this.#due = false;
    this.#nextCause = 'resync';
    this.#engine.queue.delete(this.id);
    if (update) {
      if (update.config !== undefined) this.#config = update.config;
      this.#applying.push(...update.waiters);
    }
    if (cause === 'restart') {
      this.#engine.metrics.processRestart(this.id);
      this.#engine.events.emit('restart', { id: this.id, generation: this.generation, restartCount: ++this.#restartCount });
    }
    const controller = new AbortController();
    this.#sync = controller;
    const started = this.#engine.clock.now();
    const ctx: SyncContext = { id: this.id, generation: this.generation, cause, failures: this.#errorCount, signal: controller.signal };
    let result: SyncResult = {};
    let error: Error | undefined;
    try {
      result = (await this.#engine.syncer.syncProcess(ctx, updateType, this.#config)) ?? {};
    } catch (thrown) {
      error = toError(thrown);
    }
    this.#sync = undefined;
    const exit = this.#exit;
    this.#exit = undefined;
    const now = this.#engine.clock.now();
    this.#engine.metrics.processSyncDuration(this.id, updateType, now - started, error);
    // Asked to end while it ran: how this sync came out no longer matters, the termination is next.
    if (!this.#lifecycle.alive) return;
    if (result.terminal) return this.#endTerminal(result.error);
    if (exit) return this.#judgeExit(exit.error === undefined && error ? { ...exit, error } : exit);
    if (error) return this.#judge(error, { clean: false, start: true, transient: isTransient(error) }, 'retry');
    this.#succeed(updateType, now, now - started);
  }

  #succeed(updateType: UpdateType, now: number, duration: number): void {
    this.#errorCount = 0;
    this.#down = false;
    this.#lastSync = now;
    this.#tracker.onStart(now);
    if (this.phase === 'Starting') this.#advance('Syncing');
    this.#engine.events.emit('synced', { id: this.id, generation: this.generation, updateType, duration });
    // A listener may have ended the unit just now.
    if (this.#lifecycle.alive) this.#schedule(jitter(this.#engine.resyncInterval, RESYNC_JITTER, this.#engine.random));
    for (const resolve of this.#applying.splice(0)) resolve(this.status());
  }

  #endTerminal(thrown: unknown): void {
    if (thrown !== undefined) {
      this.#errorCount++;
      this.#recordError(thrown, 'sync_error', undefined);
    }
    void this.terminate(thrown === undefined ? 'terminal' : 'failed');
  }

  #judgeExit(report: ExitReport): void {
    const clean = report.clean ?? false;
    const error = report.error === undefined ? undefined : toError(report.error);
    this.#down = true;
    this.#engine.events.emit('exit', { id: this.id, generation: this.generation, clean, error });
    if (!this.#lifecycle.alive) return;
    this.#judge(clean ? error : (error ?? new Error(`${this.id} died by itself`)), { clean, failed: report.failed, start: report.start, served: report.served }, 'restart');
  }

  /** Asks the restart policy what to do about a failed attempt or a death, and does it. */
  #judge(error: Error | undefined, event: Omit<ExitEvent, 'now'>, cause: SyncCause): void {
    // A look that was due a moment ago must not cut the delay short.
    this.#due = false;
    const decision = this.#tracker.onExit({ ...event, now: this.#engine.clock.now() });
    const retryIn = decision.action === 'restart' ? decision.delay : undefined;
    if (error) {
      if (event.failed ?? !event.clean) this.#errorCount++;
      this.#recordError(error, 'sync_error', retryIn, decision.action === 'restart' ? decision.limit : undefined);
    } else if (retryIn !== undefined) {
      this.#schedule(retryIn);
    }
    if (!this.#lifecycle.alive) return;
    this.#nextCause = cause;
    if (decision.action === 'restart') return;
    const { reason } = decision;
    if (reason === 'circuit-open' || reason === 'max-restarts') {
      const limit = reason === 'circuit-open' ? 'maxFailures' : 'maxRestarts';
      const why = limitText(this.#tracker.policy, limit);
      this.#lastError = new RestartsExhaustedError(`${this.id} is given up: ${why}${error ? `; last: ${error.message}` : ''}`, { process: this.id, restarts: this.#restartCount, limit, cause: error });
    }
    void this.terminate(reason);
  }

  #recordError(thrown: unknown, errorType: 'sync_error' | 'termination_error' | 'cleanup_error', retryIn: number | undefined, limit?: RestartLimit): void {
    const error = toError(thrown);
    this.#lastError = error;
    if (errorType !== 'sync_error') this.#errorCount++;
    this.#engine.metrics.processError(this.id, errorType);
    if (retryIn !== undefined) {
      this.#schedule(retryIn);
      this.#engine.metrics.workQueueRetry(this.id);
      this.#engine.metrics.workQueueBackoffDuration(this.id, retryIn);
    }
    this.#engine.events.emit('failure', { id: this.id, generation: this.generation, errorType, error, ...(retryIn !== undefined && { retryIn }), ...(limit && { limit, why: limitText(this.#tracker.policy, limit) }) });
  }

  #schedule(delay: number): void {
    // A restart may have to wait longer than the resync that is queued; the queue by itself keeps the earlier.
    this.#engine.queue.delete(this.id);
    if (this.#engine.queue.add(this.id, delay)) this.#engine.metrics.workQueueAdd(this.id, delay);
  }

  #advance(to: Phase): void {
    const from = this.#lifecycle.advance(to, this.#engine.clock.now());
    this.#engine.metrics.processStateTransition(this.id, from, to);
    this.#engine.events.emit('transition', { id: this.id, generation: this.generation, from, to });
  }
}
