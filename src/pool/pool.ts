// Many processes behind one proxy: places calls, queues what finds no place, heals, recycles, scales.
// Invariants: a call is bound to a replica only when that has a free slot (or its key says so); never more than `maxQueue`
// wait; a replica that dies or retires takes nothing new from that moment on.
import { CallTimeoutError, InvalidOptionError, LinkClosedError, MemoryLimitError, ProcessCrashedError, ProcessStoppedError, QueueFullError, RestartsExhaustedError } from '../errors.js';
import { ValueCodec } from '../rpc/codec.js';
import { methodNotFound, type RemoteTarget } from '../rpc/remote.js';
import { iterateResult } from '../rpc/iterate-result.js';
import { transferOfArguments } from '../rpc/transfer.js';
import { systemClock, type Clock } from '../supervisor/clock.js';
import { Emitter } from '../supervisor/emitter.js';
import type { CallOptions } from '../types.js';
import { parseDuration } from '../units.js';
import { Breaker } from './breaker.js';
import type { StartMember } from './member.js';
import type { ResolvedPoolOptions } from './options.js';
import { PoolHandle, type PoolEvents, type PoolState } from './pool-handle.js';
import { Population } from './population.js';
import { Replica } from './replica.js';
import type { CallToPlace } from './strategy.js';
import { WaitingCall } from './waiting-call.js';

/** Runs of an idempotent call before a crash is reported, without the `retry` option. */
const CRASH_ATTEMPTS = 4;

export interface PoolContext {
  readonly id: string;
  readonly name: string;
  readonly options: ResolvedPoolOptions;
  readonly start: StartMember;
  readonly clock?: Clock;
  /** Runs when the pool has been stopped. */
  onStopped?(): void;
}

export class Pool implements RemoteTarget {
  readonly id: string;
  readonly options: ResolvedPoolOptions;
  readonly events = new Emitter<PoolEvents>();
  readonly clock: Clock;
  readonly population: Population;
  readonly handle: PoolHandle;
  readonly breaker: Breaker | undefined;
  /** Milliseconds that calls waited, for metrics. */
  readonly waits = { count: 0, total: 0, max: 0 };
  #queue: WaitingCall[] = [];
  #head = 0;
  #waiting = 0;
  #state: PoolState = 'running';
  #idle: (() => void)[] = [];
  #active = 0;

  constructor(readonly context: PoolContext) {
    this.id = context.id;
    this.options = context.options;
    this.clock = context.clock ?? systemClock;
    this.handle = new PoolHandle(this);
    const { breaker } = context.options;
    if (breaker) this.breaker = new Breaker(context.name, breaker, () => this.clock.now(), (state) => this.events.emit('breaker', { state }));
    this.population = new Population(this, {
      freed: (replica) => this.#freed(replica),
      status: (replica) => this.#statusChanged(replica),
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
    return this.#waiting;
  }

  methods(): readonly string[] {
    return this.population.anyMember()?.methodNames() ?? [];
  }

  /** How long the oldest call has waited, ms. */
  oldestWait(): number {
    for (let i = this.#head; i < this.#queue.length; i++) if (!this.#queue[i]!.done) return performance.now() - this.#queue[i]!.since;
    return 0;
  }

  // ── calls ──

  invoke(method: string, args: unknown[], options: CallOptions): Promise<unknown> {
    const info = this.population.anyMember()?.methodInfo(method);
    const idempotent = options.idempotent ?? info?.idempotent ?? false;
    // The common call: nothing to retry, nobody waits, a replica is free. One promise, the replica's own.
    if (info && !idempotent && !this.breaker && this.#waiting === 0 && this.#state === 'running' && !options.signal?.aborted) {
      const replica = this.#pick({ method, args, key: options.key });
      if (replica) return this.#run(replica, method, args, options);
    }
    const promise = this.#invoke(method, args, options, idempotent) as Promise<unknown> & { [Symbol.asyncIterator]?: unknown };
    promise[Symbol.asyncIterator] = iterateResult;
    return promise;
  }

  async #invoke(method: string, args: unknown[], options: CallOptions, idempotent: boolean): Promise<unknown> {
    this.#assertOpen(method);
    if (this.population.anyMember() && !this.methods().includes(method)) throw methodNotFound(this, method);
    options.signal?.throwIfAborted();
    const { retry } = this.options;
    const attempts = idempotent ? (retry?.attempts ?? CRASH_ATTEMPTS) : 1;
    // While the call waits or is run again, the caller may change what it passed.
    const kept = snapshot(args, options);
    const own: CallOptions = idempotent ? { ...kept.options, idempotent: false } : kept.options;
    for (let attempt = 1; ; attempt++) {
      this.breaker?.enter();
      try {
        const replica = await this.#place({ method, args: kept.args, key: options.key }, options);
        const result = await this.#run(replica, method, kept.args, own);
        this.breaker?.leave(true);
        return result;
      } catch (error) {
        this.breaker?.leave(options.signal?.aborted ? undefined : false);
        if (attempt >= attempts || options.signal?.aborted || !(retry ? isRetryable(error) : isDeath(error)) || this.#state !== 'running') throw error;
        if (retry) await new Promise((resolve) => setTimeout(resolve, retry.backoff * 2 ** (attempt - 1)));
      }
    }
  }

  #run(replica: Replica, method: string, args: unknown[], options: CallOptions): Promise<unknown> {
    this.#active++;
    const result = replica.run(method, args, options);
    result.then(this.#settled, this.#settled);
    return result;
  }

  readonly #settled = () => {
    this.#active--;
    this.#checkIdle();
  };

  /** Takes a free place at once, or waits for one. The place is reserved. */
  async #place(call: CallToPlace, options: CallOptions): Promise<Replica> {
    const replica = this.#waiting === 0 ? this.#pick(call) : undefined;
    if (replica) return replica;
    const { maxQueue } = this.options;
    if (this.#waiting >= maxQueue) {
      throw new QueueFullError(`${this.name}.${call.method}(): ${this.#waiting} calls wait already, the limit is ${maxQueue}`, { process: this.name, maxQueue, retryAfter: this.#retryAfter() });
    }
    const timeout = options.queueTimeout === undefined ? this.options.queueTimeout : parseDuration(options.queueTimeout, 'queueTimeout');
    const waiting = new WaitingCall(call, this.name, timeout, options.signal, () => {
      this.#waiting--;
      this.#checkIdle();
    });
    this.#waiting++;
    this.#enqueue(waiting);
    this.population.loadChanged();
    return waiting.place;
  }

  #enqueue(waiting: WaitingCall): void {
    const home = this.options.strategy.home?.(this.population.ready(), waiting.call);
    if (home) home.bound.push(waiting);
    else this.#queue.push(waiting);
  }

  /** A free replica of the strategy's choice, its place reserved. */
  #pick(call: CallToPlace): Replica | undefined {
    const ready = this.population.ready();
    const replica = this.options.strategy.pick(ready, call);
    if (!replica) return undefined;
    if (!(replica instanceof Replica) || !replica.free || !ready.includes(replica)) {
      throw new InvalidOptionError(`strategy '${this.options.strategy.name}' chose ${replica instanceof Replica ? `${replica.id}, which has no room` : 'something that is no candidate'}; choose one whose \`free\` is true, or undefined`, { option: 'strategy' });
    }
    replica.reserve();
    this.population.used(replica);
    return replica;
  }

  #freed(replica: Replica): void {
    this.#pump(replica);
    this.#checkIdle();
  }

  /** Gives waiting calls their places, those bound to `replica` first. */
  #pump(replica?: Replica): void {
    if (replica) {
      while (replica.free && replica.bound.length > 0) {
        const next = replica.bound.shift()!;
        if (next.done) continue;
        replica.reserve();
        this.#assign(next, replica);
      }
    }
    while (this.#head < this.#queue.length) {
      const next = this.#queue[this.#head]!;
      if (!next.done) {
        let chosen: Replica | undefined;
        try {
          chosen = this.#pick(next.call);
        } catch (error) {
          next.leave(error);
          continue;
        }
        if (!chosen) return;
        this.#assign(next, chosen);
      }
      this.#queue[this.#head++] = undefined as never;
      if (this.#head === this.#queue.length) {
        this.#queue = [];
        this.#head = 0;
      }
    }
  }

  /** `replica` has a place reserved for it. */
  #assign(waiting: WaitingCall, replica: Replica): void {
    this.#waiting--;
    const waited = performance.now() - waiting.since;
    this.waits.count++;
    this.waits.total += waited;
    this.waits.max = Math.max(this.waits.max, waited);
    waiting.assign(replica);
  }

  #statusChanged(replica: Replica): void {
    if (replica.ready) this.#pump(replica);
    else {
      // Its key's calls find a new home among those that are left.
      for (const waiting of replica.bound.splice(0)) if (!waiting.done) this.#enqueue(waiting);
      this.#pump();
    }
    this.population.memberChanged(replica);
  }

  /** New replicas can take what waits. */
  pump(): void {
    for (const replica of this.population.ready()) this.#pump(replica);
    this.#pump();
  }

  // ── the end ──

  /** Refuses new calls and resolves when everything that was accepted has settled. */
  async drain(): Promise<void> {
    if (this.#state === 'running') this.#state = 'draining';
    if (this.#active + this.#waiting > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    if (this.#state === 'draining') this.#state = 'drained';
    this.events.emit('drained', {});
  }

  /** No process of this pool can run any more: everything that waits fails with `error`. */
  fail(error: Error): void {
    for (const waiting of [...this.#queue.slice(this.#head), ...this.population.all().flatMap(({ bound }) => bound)]) waiting?.leave(error);
    this.#queue = [];
    this.#head = 0;
  }

  async stop({ timeout, reason = 'stop' }: { timeout?: number | undefined; reason?: string } = {}): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#state = 'stopped';
    this.fail(new ProcessStoppedError(`${this.name}: the pool was stopped`, { process: this.name }));
    await this.population.stop(reason, timeout);
    this.context.onStopped?.();
  }

  #assertOpen(method: string): void {
    const { failure } = this.population;
    if (failure) throw new RestartsExhaustedError(`${this.name}.${method}(): no replica of the pool is left: ${failure.message}`, { process: this.name, restarts: 0, cause: failure });
    if (this.#state === 'running') return;
    throw new ProcessStoppedError(`${this.name}.${method}(): the pool is ${this.#state} and takes no calls`, { process: this.name, method });
  }

  #checkIdle(): void {
    if (this.#idle.length === 0 || this.#active + this.#waiting > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** The time until about one place will be free: what waits, at the pace of late. */
  #retryAfter(): number {
    const { latency } = this.handle.merged();
    const slots = Math.max(1, this.population.ready().length * Math.min(this.options.concurrency, 1_000));
    return Math.max(1, Math.ceil(((this.#waiting + 1) * (latency.mean || 1)) / slots));
  }
}

const isDeath = (error: unknown): boolean => error instanceof ProcessCrashedError || error instanceof LinkClosedError || error instanceof MemoryLimitError || error instanceof ProcessStoppedError;

/** What a second try may mend: everything but what is wrong with the call itself. */
const isRetryable = (error: unknown): boolean => isDeath(error) || error instanceof CallTimeoutError || !(typeof (error as { code?: unknown })?.code === 'string' && NOT_RETRYABLE.has((error as { code: string }).code));
const NOT_RETRYABLE: ReadonlySet<string> = new Set(['METHOD_NOT_FOUND', 'NOT_CLONEABLE', 'FRAME_TOO_LARGE', 'QUEUE_FULL', 'QUEUE_TIMEOUT', 'CIRCUIT_OPEN', 'RESTARTS_EXHAUSTED', 'INVALID_OPTION', 'UNKNOWN_OPTION', 'UNSUPPORTED_OPTION']);

/** The arguments as they are now. Functions, streams and proxies cannot be copied: those are passed as they are when the time comes. */
function snapshot(args: unknown[], options: CallOptions): { args: unknown[]; options: CallOptions } {
  if (args.every((argument) => typeof argument !== 'object' || argument === null)) return { args, options };
  copier ??= new ValueCodec({ level: 'objects', maxFrame: Infinity });
  try {
    const { transfer: list, ...rest } = options;
    const transfer = transferOfArguments(args, list);
    const { tag, payload, attachments } = copier.encode(args, { standalone: true, root: 'args', ...(transfer ? { transfer } : {}) });
    const moved = transfer && attachments ? structuredClone(attachments, { transfer: [...transfer] as ArrayBuffer[] }) : attachments;
    return { args: copier.decode(tag, payload, moved) as unknown[], options: rest };
  } catch {
    return { args, options };
  }
}

let copier: ValueCodec | undefined;
