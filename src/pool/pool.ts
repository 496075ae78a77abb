// Many processes behind one proxy: places calls, queues what finds no place, retries what may be retried.
// Invariants: a call is bound to a replica only when that has a free place; never more than `maxQueue` wait; a call that
// waits while a replica could take it does not exist: each change that frees a place looks at the queue at once.
import { InvalidOptionError, type CircuitOpenError, ProcessStoppedError, QueueFullError, RestartsExhaustedError } from '../errors.js';
import { offAbort, onAbort } from '../rpc/abort-listeners.js';
import { asResult } from '../rpc/iterate-result.js';
import { mayHaveRun, told } from '../rpc/maybe-executed.js';
import { methodNotFound, type RemoteTarget } from '../rpc/remote.js';
import type { MethodInfo } from '../rpc/service.js';
import { systemClock, type Clock } from '../supervisor/clock.js';
import { Emitter } from '../supervisor/emitter.js';
import { haltError, haltText, retryAfter, type Halt } from '../supervisor/halt.js';
import type { CallOptions } from '../types.js';
import { parseDuration } from '../units.js';
import { Breaker } from './breaker.js';
import { CallQueue } from './call-queue.js';
import type { StartMember } from './member.js';
import type { ResolvedPoolOptions } from './options.js';
import { isDeath, isFailure, isRetryable } from './outcome.js';
import { Poison } from './poison.js';
import { PoolHandle, type PoolEvents, type PoolState } from './pool-handle.js';
import { Population } from './population.js';
import { Replica } from './replica.js';
import { snapshot, type Kept } from './snapshot.js';
import type { Refusal } from './standing.js';
import type { CallToPlace } from './strategy.js';
import { WaitingCall, type Progress, type WaitingRoom } from './waiting-call.js';

/** Runs of an idempotent call before a crash is reported, without the `retry` option. */
const CRASH_ATTEMPTS = 4;
const CRASH_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 30_000;

export interface PoolContext {
  readonly id: string;
  readonly name: string;
  readonly options: ResolvedPoolOptions;
  readonly start: StartMember;
  readonly clock?: Clock;
  /** Runs when the pool has been stopped. */
  onStopped?(): unknown;
}

export class Pool implements RemoteTarget, WaitingRoom {
  readonly id: string;
  readonly options: ResolvedPoolOptions;
  readonly events = new Emitter<PoolEvents>();
  readonly clock: Clock;
  readonly population: Population;
  readonly handle: PoolHandle;
  readonly breaker: Breaker | undefined;
  readonly poison: Poison;
  /** Milliseconds that calls waited, for metrics. */
  readonly waits = { count: 0, total: 0, max: 0 };
  /** Calls that failed without having reached a replica. */
  rejected = 0;
  readonly #queue = new CallQueue();
  #state: PoolState = 'running';
  #stopping: Promise<void> | undefined;
  #idle: (() => void)[] = [];
  /** Calls in replicas. */
  #active = 0;
  /** Calls on the long way: waiting, running, or between two attempts. */
  #accepted = 0;

  constructor(readonly context: PoolContext) {
    this.id = context.id;
    this.options = context.options;
    this.clock = context.clock ?? systemClock;
    this.handle = new PoolHandle(this);
    const { breaker } = context.options;
    this.poison = new Poison(this, context.options.poison, {
      now: () => this.clock.now(),
      answered: (method) => this.population.meters().reduce((sum, meter) => sum + meter.answered(method), 0),
      refused: (method, refusal) => this.#poisoned(method, refusal),
    });
    if (breaker) this.breaker = new Breaker(context.name, breaker, () => this.clock.now(), (state) => this.events.emit('breaker', { state }));
    this.population = new Population(this, {
      freed: () => {
        this.#active--;
        this.#pump();
        this.#checkIdle();
      },
      status: (replica) => this.population.memberChanged(replica),
      released: () => this.#pump(),
      halted: (replica, halt) => this.#halted(replica, halt),
      died: ({ id, slot }, death) => {
        this.events.emit('replica-died', { id, slot, ...death });
        this.poison.died(death.methods);
      },
    });
  }

  get name(): string {
    return this.population.anyMember()?.name ?? this.context.name;
  }
  get state(): PoolState {
    return this.#state;
  }
  get active(): number {
    return this.#active;
  }
  get pending(): number {
    return this.#queue.size;
  }

  methods(): readonly string[] {
    return this.population.anyMember()?.methodNames() ?? [];
  }
  withheld(): readonly string[] {
    return this.population.anyMember()?.withheld() ?? [];
  }

  /** How long the oldest call has waited, ms. */
  oldestWait(): number {
    const since = this.#queue.oldest();
    return since === undefined ? 0 : this.clock.now() - since;
  }

  // ── calls ──

  invoke(method: string, args: unknown[], options: CallOptions): Promise<unknown> {
    const info = this.population.anyMember()?.methodInfo(method);
    const idempotent = options.idempotent ?? info?.idempotent ?? false;
    // The common call: nothing to retry. A replica is free: one promise, the replica's own; else that of the one that waits.
    if (info && !idempotent && !this.breaker && !this.poison.active && this.#state === 'running' && options.signal?.aborted !== true && !this.options.strategy.custom) {
      const call = { method, args, key: options.key };
      const replica = this.#pick(call, info);
      return replica ? this.#run(replica, info, args, options) : asResult(this.#wait(call, info, snapshot(args, options)));
    }
    return asResult(this.#invoke(method, info, args, options, idempotent));
  }

  async #invoke(method: string, info: MethodInfo | undefined, args: unknown[], options: CallOptions, idempotent: boolean): Promise<unknown> {
    this.#accepted++;
    const progress: Progress = { ran: false, begun: false };
    try {
      this.#assertOpen(method);
      if (!info) throw methodNotFound(this, method);
      options.signal?.throwIfAborted();
      const refused = this.poison.refusal(method);
      if (refused) throw refused;
      const { retry } = this.options;
      const attempts = idempotent ? (retry?.attempts ?? CRASH_ATTEMPTS) : 1;
      // What is run again must be as it was the first time.
      let kept = idempotent ? snapshot(args, options) : undefined;
      if (kept) kept = { args: kept.args, options: { ...kept.options, idempotent: false } };
      for (let attempt = 1; ; attempt++) {
        this.breaker?.enter();
        try {
          const result = await this.#attempt(info, kept?.args ?? args, kept?.options ?? options, kept !== undefined, progress);
          this.breaker?.leave(true);
          return result;
        } catch (error) {
          const cancelled = options.signal?.aborted === true;
          progress.begun ||= progress.ran && mayHaveRun(error);
          this.breaker?.leave(cancelled || !isFailure(error) ? undefined : false);
          if (attempt >= attempts || cancelled || this.#state === 'stopped' || !(retry ? isRetryable(error) : isDeath(error))) throw error;
          if (this.breaker?.state === 'open' || this.poison.refusal(method)) throw error;
          // After a death another replica is asked at once; one that dies as well is no accident.
          const backoff = retry ? retry.backoff * 2 ** (attempt - 1) : attempt > 1 ? CRASH_BACKOFF_MS * 2 ** (attempt - 2) : 0;
          if (backoff > 0) await this.#sleep(Math.min(backoff, MAX_BACKOFF_MS), options.signal);
        }
      }
    } catch (error) {
      if (!progress.ran) this.rejected++;
      throw error === options.signal?.reason ? error : told(error, progress.begun);
    } finally {
      this.#accepted--;
      this.#checkIdle();
    }
  }

  /** Runs a call in a free place, now or when there is one. */
  #attempt(info: MethodInfo, args: unknown[], options: CallOptions, copied: boolean, progress: Progress): Promise<unknown> {
    const call = { method: info.name, args, key: options.key };
    const replica = this.#pick(call, info);
    if (replica) {
      progress.ran = true;
      return this.#run(replica, info, args, options);
    }
    return this.#wait(call, info, copied ? { args, options } : snapshot(args, options), progress);
  }

  #run(replica: Replica, info: MethodInfo, args: unknown[], options: CallOptions): Promise<unknown> {
    this.#active++;
    const result = replica.run(info.name, args, options, info.concurrency !== undefined);
    this.population.used(replica);
    return result;
  }

  /** `progress`: of a call with more than one attempt, which counts by itself as rejected. */
  #wait(call: CallToPlace, info: MethodInfo, { args, options }: Kept, progress?: Progress): Promise<unknown> {
    return new Promise((resolve, reject) => {
      try {
        this.#assertRoom(call.method);
        const own = options.queueTimeout;
        const queueTimeout = own === undefined ? this.options.queueTimeout : parseDuration(own, 'queueTimeout');
        const kept = args === call.args ? call : { ...call, args };
        const waiting = new WaitingCall(this, kept, info, args, options, { queueTimeout, alone: own !== undefined, since: this.clock.now(), progress }, resolve, reject);
        this.#queue.push(this.#lineOf(waiting), waiting);
        this.population.loadChanged();
      } catch (error) {
        if (!progress) this.rejected++;
        reject(told(error, false));
      }
    });
  }

  startWaiting({ info, args, options, progress }: WaitingCall, replica: Replica): Promise<unknown> {
    if (progress) progress.ran = true;
    return this.#run(replica, info, args, options);
  }

  leftWaiting(waiting: WaitingCall): void {
    this.#queue.left(waiting);
    if (!waiting.progress) this.rejected++;
    this.#checkIdle();
  }

  /** @throws QueueFullError, RestartsExhaustedError */
  #assertRoom(method: string): void {
    const { refusal } = this.population;
    if (refusal) throw this.#exhausted(method, refusal);
    const { maxQueue } = this.options;
    const { size } = this.#queue;
    if (size >= maxQueue) throw new QueueFullError(`${this.name}.${method}(): ${size} calls wait already, the limit is ${maxQueue}`, { process: this.name, maxQueue, retryAfter: this.#retryAfter() });
  }

  /** Calls wait in one line, unless only some replicas may take them. */
  #lineOf({ call, info }: WaitingCall): string {
    const { strategy } = this.options;
    if (strategy.custom) return `${call.method} ${call.key ?? ''}`;
    const home = call.key === undefined ? undefined : strategy.home?.(this.population.ready(), call)?.slot;
    const limited = info.concurrency !== undefined;
    return home === undefined && !limited ? '' : `${home ?? ''} ${limited ? call.method : ''}`;
  }

  /** A free replica of the strategy's choice. */
  #pick(call: CallToPlace, { name, concurrency }: MethodInfo): Replica | undefined {
    const { strategy } = this.options;
    let candidates = this.population.ready();
    if (concurrency !== undefined) candidates = candidates.filter((replica) => replica.running(name) < concurrency);
    const replica = strategy.pick(candidates, call);
    if (!replica || !strategy.custom) return replica;
    if (!candidates.includes(replica) || !replica.free) {
      throw new InvalidOptionError(`strategy '${strategy.name}' chose ${replica instanceof Replica ? `${replica.id}, which has no room` : 'something that is no candidate'}; choose a candidate whose \`free\` is true, or undefined`, { option: 'strategy' });
    }
    return replica;
  }

  /** Gives waiting calls their places. */
  #pump(): void {
    if (this.#queue.size > 0) this.#queue.pump(this.#placeWaiting);
  }

  readonly #placeWaiting = (waiting: WaitingCall): boolean => {
    const { call } = waiting;
    let replica: Replica | undefined;
    try {
      replica = this.#pick(call, waiting.info);
    } catch (error) {
      waiting.leave(error);
      return false;
    }
    if (!replica) return false;
    const waited = this.clock.now() - waiting.since;
    this.waits.count++;
    this.waits.total += waited;
    this.waits.max = Math.max(this.waits.max, waited);
    waiting.start(replica);
    return true;
  };

  /** The replicas in the rotation are others than before. */
  rotationChanged(): void {
    if (this.#queue.size === 0) return;
    // Keys have new homes.
    if (this.options.strategy.home) this.#queue.relabel((waiting) => this.#lineOf(waiting));
    this.#pump();
  }

  /** Calls the method on every replica that runs; all results in the order of the places. */
  async broadcast(method: string, args: unknown[]): Promise<unknown[]> {
    /** Replicas that may run it, or have. */
    let begun = 0;
    const run = async (replica: Replica, info: MethodInfo) => {
      begun++;
      try {
        return await this.#run(replica, info, args, {});
      } catch (error) {
        if (!mayHaveRun(error)) begun--;
        throw error;
      }
    };
    try {
      this.#assertOpen(method);
      const info = this.population.anyMember()?.methodInfo(method);
      if (!info) throw methodNotFound(this, method);
      const refused = this.poison.refusal(method);
      if (refused) throw refused;
      return await Promise.all(this.population.ready().map((replica) => run(replica, info)));
    } catch (error) {
      throw told(error, begun > 0);
    }
  }

  // ── the end ──

  /** Refuses new calls and resolves when everything that was accepted has settled. */
  async drain(): Promise<void> {
    if (this.#state === 'running') this.#state = 'draining';
    if (this.#busy) await new Promise<void>((resolve) => this.#idle.push(resolve));
    if (this.#state !== 'draining') return;
    this.#state = 'drained';
    this.events.emit('drained', {});
  }

  /** No place is left: everything that waits fails. */
  fail(refusal: Refusal): void {
    for (const waiting of this.#queue.all()) waiting.leave(this.#state === 'stopped' ? refusal.error : this.#exhausted(waiting.call.method, refusal));
  }

  /** A limit of its restart policy lets a replica rest: it is tried again by itself. */
  #halted({ slot, retiring, member: { name, restarts } }: Replica, halt: Halt): void {
    if (this.#state === 'stopped' || retiring) return;
    this.events.emit('replica-failed', { slot, error: haltError(name, restarts, halt), limit: halt.limit, retryAfter: retryAfter(halt) });
    const { refusal } = this.population;
    if (refusal) this.fail(refusal);
  }

  /** A method has ended replica after replica: it is not run for a while, nor for who waits. */
  #poisoned(method: string, refusal: CircuitOpenError): void {
    this.events.emit('poison', { method, retryAfter: refusal.retryAfter });
    for (const waiting of this.#queue.all()) if (waiting.call.method === method) waiting.leave(refusal);
  }

  stop(options: { timeout?: number | undefined; reason?: string } = {}): Promise<void> {
    this.#stopping ??= this.#stop(options);
    return this.#stopping;
  }

  async #stop({ timeout, reason = 'stop' }: { timeout?: number | undefined; reason?: string }): Promise<void> {
    this.#state = 'stopped';
    this.fail({ error: new ProcessStoppedError(`${this.name}: the pool was stopped while the call waited; it never ran`, { process: this.name }), halt: undefined });
    await this.population.stop(reason, timeout);
    this.#checkIdle();
    await this.context.onStopped?.();
  }

  #assertOpen(method: string): void {
    if (this.#state !== 'running') throw new ProcessStoppedError(`${this.name}.${method}(): the pool is ${this.#state} and takes no calls`, { process: this.name, method });
    const { refusal } = this.population;
    if (refusal) throw this.#exhausted(method, refusal);
  }

  #exhausted(method: string, { error: cause, halt }: Refusal): RestartsExhaustedError {
    const where = `${this.name}.${method}(): no replica of the pool is left: `;
    const fields = { process: this.name, restarts: this.population.restarts, cause };
    if (!halt) return new RestartsExhaustedError(`${where}${cause.message}; $handle.scale() or reload() starts new ones`, fields);
    return new RestartsExhaustedError(where + haltText(halt), { ...fields, limit: halt.limit, retryAfter: retryAfter(halt) });
  }

  /** Something that was accepted has not settled. */
  get #busy(): boolean {
    return this.#active + this.#accepted + this.#queue.size > 0;
  }

  #checkIdle(): void {
    if (this.#idle.length === 0 || this.#busy) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.clock.setTimeout(() => {
        if (signal) offAbort(signal, aborted);
        resolve();
      }, ms);
      const aborted = () => {
        this.clock.clearTimeout(timer);
        reject(signal!.reason as Error);
      };
      if (signal) onAbort(signal, aborted);
    });
  }

  /** The time until about one place will be free: what waits, at the pace of late. */
  #retryAfter(): number {
    const { latency } = this.handle.merged();
    const places = Math.max(1, this.population.ready().length * Math.min(this.options.concurrency, 1_000));
    return Math.max(1, Math.ceil(((this.#queue.size + 1) * (latency.mean || 1)) / places));
  }
}
