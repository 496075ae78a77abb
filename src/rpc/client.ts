// The caller's side of one process, across all its incarnations: the proxy keeps one Client while sessions come and go.
// Invariants: calls start in the order made; a call that was never sent waits for the next session; one that was sent
// when its session died fails at once, unless its method is idempotent.
import { CallTimeoutError, QueueFullError } from '../errors.js';
import { parseDuration } from '../units.js';
import type { CallOptions } from '../types.js';
import { Call } from './call.js';
import { ValueCodec, type Encoded } from './codec.js';
import { currentContext, nextTraceparent } from './context.js';
import { DEFAULT_LIMITS } from './frames.js';
import { iterateResult } from './iterate-result.js';
import { metaOf } from './live-table.js';
import type { Meter, MethodMeter } from './meter.js';
import { Exports } from './references.js';
import { methodNotFound, type RemoteTarget } from './remote.js';
import type { MethodInfo } from './service.js';
import { nameMethod, type Session } from './session.js';
import { transferOfArguments } from './transfer.js';

/** Runs of an idempotent call before its crash is reported. */
const MAX_ATTEMPTS = 4;
const DEFAULT_QUEUE_TIMEOUT = 30_000;

export interface MethodState {
  info: MethodInfo;
  readonly meter: MethodMeter | undefined;
  active: number;
  readonly waiting: Call[];
}

export interface ClientOptions {
  readonly name: string;
  readonly id: string;
  /** Where it runs, for stacks: `calculator (worker)`. */
  readonly describe: string;
  readonly level: 'objects' | 'bytes';
  readonly meter?: Meter | undefined;
  /** Default timeout of calls, ms. */
  readonly timeout?: number | undefined;
  readonly queueTimeout?: number | undefined;
  readonly maxQueue?: number | undefined;
  readonly maxInFlight?: number | undefined;
  readonly maxFrame?: number | undefined;
  readonly tracing?: boolean | undefined;
  readonly handle?: () => unknown;
  /** A sent call was given up: is the peer's loop still alive? */
  onSuspect?(call: Call): void;
}

type State = { kind: 'waiting'; reason: string } | { kind: 'open'; session: Session } | { kind: 'refused'; error: () => Error };

export class Client implements RemoteTarget {
  readonly exports = new Exports();
  readonly #methods = new Map<string, MethodState>();
  #methodNames: readonly string[] = [];
  #state: State = { kind: 'waiting', reason: 'it to start' };
  #queue: Call[] = [];
  #queueHead = 0;
  #sawLive = false;
  #snapshots: ValueCodec | undefined;
  #idle: (() => void)[] = [];
  #inFlight = 0;
  #lastSettled = 0;

  constructor(readonly options: ClientOptions) {}

  get name(): string {
    return this.options.name;
  }

  get id(): string {
    return this.options.id;
  }

  get describe(): string {
    return this.options.describe;
  }

  get handle(): unknown {
    return this.options.handle?.();
  }

  methods(): readonly string[] {
    return this.#methodNames;
  }

  methodInfo(name: string): MethodInfo | undefined {
    return this.#methods.get(name)?.info;
  }

  /** Calls sent and not settled. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Calls that wait to be sent. */
  get queued(): number {
    return this.#queue.length - this.#queueHead;
  }

  /** It has calls under way or waiting, or streams open. */
  get busy(): boolean {
    return this.#inFlight > 0 || this.queued > 0 || (this.#state.kind === 'open' && this.#state.session.live.openStreams > 0);
  }

  /** When a call last settled (`performance.now()`). */
  get lastSettled(): number {
    return this.#lastSettled;
  }

  waitingFor(): string {
    return this.#state.kind === 'waiting' ? this.#state.reason : 'a free place';
  }

  /** Resolves when every call that was sent has settled. */
  idle(): Promise<void> {
    return this.#inFlight === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  // ── the incarnations ──

  /** What the process says it can do. */
  describeMethods(methods: readonly MethodInfo[]): void {
    this.#methodNames = methods.map(({ name }) => name);
    for (const info of methods) {
      const known = this.#methods.get(info.name);
      if (known) known.info = info;
      else this.#methods.set(info.name, { info, meter: this.options.meter?.method(info.name), active: 0, waiting: [] });
    }
    for (const name of this.#methods.keys()) if (!this.#methodNames.includes(name)) this.#methods.delete(name);
  }

  /** Calls go to `session` from now on, those that waited first. */
  attach(session: Session): void {
    this.#state = { kind: 'open', session };
    this.pump();
  }

  /** The session is gone; calls wait from now on. `error` makes the error of a call of `method` that was sent. */
  detach(session: Session, error: (method: string) => Error, reason: string): void {
    if (this.#state.kind === 'open' && this.#state.session === session) this.#state = { kind: 'waiting', reason };
    for (const call of session.abandon(error)) {
      // A control call is none of ours to repeat.
      if (call instanceof Call && (call.snapshot || call.args) && call.attempts < MAX_ATTEMPTS && this.#state.kind === 'waiting') this.#requeue(call);
      else call.fail(error(call.label));
    }
  }

  /** No more calls: those that wait fail, and so does what comes. */
  refuse(error: () => Error): void {
    this.#state = { kind: 'refused', error };
    const waiting = this.#queue.slice(this.#queueHead);
    for (const method of this.#methods.values()) waiting.push(...method.waiting.splice(0));
    this.#queue = [];
    this.#queueHead = 0;
    for (const call of waiting) call.fail(error());
  }

  /** Calls wait again after `refuse`. */
  wait(reason: string): void {
    this.#state = { kind: 'waiting', reason };
  }

  // ── calls ──

  invoke(name: string, args: unknown[], options: CallOptions): Promise<unknown> {
    const promise = this.#invoke(name, args, options) as Promise<unknown> & { [Symbol.asyncIterator]?: unknown };
    promise[Symbol.asyncIterator] = iterateResult;
    return promise;
  }

  // Async, so that an error can be given the caller's frames when it is thrown: capturing them for each call would cost
  // more than the call.
  async #invoke(name: string, args: unknown[], options: CallOptions): Promise<unknown> {
    const method = this.#methods.get(name);
    if (method === undefined) {
      if (this.#state.kind === 'refused') throw this.#state.error();
      throw methodNotFound(this, name);
    }
    const call = new Call(this, method, options);
    const settled = new Promise(capture);
    call.resolve = captured;
    this.#start(call, args);
    const value = await settled;
    if (call.failed) throw call.thrown();
    return value;
  }

  #start(call: Call, args: unknown[]): void {
    const { options, method } = call;
    const { signal } = options;
    const timeout = options.timeout ?? method.info.timeout ?? this.options.timeout;
    if (timeout !== undefined) {
      const ms = parseDuration(timeout, 'timeout');
      if (ms !== Infinity) call.timeout = ms;
    }
    const context = currentContext();
    if (context?.deadline !== undefined) {
      const left = context.deadline - Date.now();
      if (left <= 0) {
        call.fail(new CallTimeoutError(`${this.name}.${call.label}(): the deadline of the call it is made from (${context.process}.${context.method}) has passed`, { method: call.label, process: this.name, timeout: 0 }));
        return;
      }
      call.timeout = Math.min(call.timeout ?? Infinity, left);
    }
    if (signal) {
      if (signal.aborted) {
        call.fail(signal.reason);
        return;
      }
      call.watch(signal);
    }
    const state = this.#state;
    try {
      if (state.kind === 'refused') call.fail(state.error());
      else if (state.kind === 'open' && this.queued === 0 && this.#free(state.session, method)) this.#send(call, state.session, args);
      else if (state.kind === 'waiting' && options.whileRestarting === 'fail') {
        call.fail(new QueueFullError(`${this.name}.${call.label}(): the process is not ready (waits for ${state.reason}) and the call is set to fail at once`, { process: this.name, maxQueue: 0, retryAfter: 100 }));
      } else this.#enqueue(call, args);
    } catch (error) {
      call.fail(nameMethod(error, this.name, call.label));
    }
  }

  #free(session: Session, method: MethodState): boolean {
    return !session.congested && this.#inFlight < (this.options.maxInFlight ?? DEFAULT_LIMITS.maxInFlight) && (method.info.concurrency === undefined || method.active < method.info.concurrency);
  }

  #send(call: Call, session: Session, args: unknown[]): void {
    const { options, method } = call;
    const meta = this.#meta(call);
    const retriable = options.idempotent ?? method.info.idempotent;
    let id: number;
    if (retriable && !call.snapshot) this.#takeSnapshot(call, args);
    if (call.snapshot) id = session.sendEncoded(call, method.info.number, retriable ? copyOf(call.snapshot) : call.snapshot, meta, undefined);
    else {
      id = session.call(call, method.info.number, args, transferOfArguments(args, options.transfer), meta);
    }
    if (!retriable) call.snapshot = undefined;
    call.args = retriable && !call.snapshot ? args : undefined;
    this.#inFlight++;
    method.active++;
    call.sent(session, id);
  }

  #meta(call: Call): unknown[] | undefined {
    const inherited = currentContext()?.headers;
    let { headers } = call.options;
    if (inherited) headers = headers ? { ...inherited, ...headers } : inherited;
    if (this.options.tracing) headers = { ...headers, traceparent: nextTraceparent(headers?.['traceparent']) };
    return headers === undefined && call.timeout === undefined ? undefined : metaOf(headers, call.timeout);
  }

  #enqueue(call: Call, args: unknown[]): void {
    const maxQueue = this.options.maxQueue ?? DEFAULT_LIMITS.maxQueue;
    if (this.queued >= maxQueue) {
      call.fail(new QueueFullError(`${this.name}.${call.label}(): ${maxQueue} calls wait already for ${this.waitingFor()}`, { process: this.name, maxQueue, retryAfter: 100 }));
      return;
    }
    this.#takeSnapshot(call, args);
    call.queueTimeout = parseDuration(call.options.queueTimeout ?? this.options.queueTimeout ?? DEFAULT_QUEUE_TIMEOUT, 'queueTimeout');
    call.queued();
    const { method } = call;
    if (this.#state.kind === 'open' && method.info.concurrency !== undefined && method.active >= method.info.concurrency) method.waiting.push(call);
    else this.#queue.push(call);
  }

  /** Keeps the arguments as they are now; the caller may change them while the call waits. */
  #takeSnapshot(call: Call, args: unknown[]): void {
    this.#snapshots ??= new ValueCodec({
      level: this.options.level,
      maxFrame: this.options.maxFrame ?? DEFAULT_LIMITS.maxFrame,
      live: {
        exportLive: () => {
          this.#sawLive = true;
          return [0];
        },
        importLive: () => undefined,
      },
    });
    this.#sawLive = false;
    const transfer = transferOfArguments(args, call.options.transfer);
    const encoded = this.#snapshots.encode(args, { root: 'args', standalone: true, ...(transfer ? { transfer } : {}) });
    // Functions and streams belong to a session, so such arguments are encoded when there is one.
    if (this.#sawLive) call.args = args;
    else call.snapshot = { ...encoded };
  }

  #requeue(call: Call): void {
    this.#inFlight--;
    call.method.active--;
    call.queueTimeout = parseDuration(call.options.queueTimeout ?? this.options.queueTimeout ?? DEFAULT_QUEUE_TIMEOUT, 'queueTimeout');
    call.queued();
    this.#queue.push(call);
  }

  /** Sends what waits, as far as there is room. */
  pump(): void {
    while (this.#state.kind === 'open' && this.#queueHead < this.#queue.length) {
      const { session } = this.#state;
      const call = this.#queue[this.#queueHead]!;
      if (!call.done) {
        const { method } = call;
        if (!this.#free(session, method)) {
          if (method.info.concurrency === undefined || method.active < method.info.concurrency) break;
          // Its own method is full: others need not wait for it.
          method.waiting.push(call);
        } else this.#sendWaiting(call, session);
      }
      this.#queue[this.#queueHead++] = undefined as never;
      if (this.#queueHead > 1024 && this.#queueHead * 2 > this.#queue.length) {
        this.#queue = this.#queue.slice(this.#queueHead);
        this.#queueHead = 0;
      }
    }
    if (this.#queueHead === this.#queue.length && this.#queueHead > 0) {
      this.#queue = [];
      this.#queueHead = 0;
    }
  }

  #sendWaiting(call: Call, session: Session): void {
    if (!this.#methods.has(call.label)) {
      call.fail(methodNotFound(this, call.label));
      return;
    }
    try {
      this.#send(call, session, call.args ?? []);
    } catch (error) {
      call.fail(nameMethod(error, this.name, call.label));
    }
  }

  /** A sent call was given up by timeout or signal. */
  suspect(call: Call): void {
    this.options.onSuspect?.(call);
  }

  /** Book-keeping of a call that has just settled. */
  settled(call: Call, wasSent: boolean): void {
    const { method } = call;
    if (wasSent) {
      this.#inFlight--;
      method.active--;
      this.#lastSettled = performance.now();
      method.meter?.record(this.#lastSettled - call.sentAt, call.failed);
      if (method.waiting.length > 0 && this.#state.kind === 'open') {
        let next = method.waiting.shift();
        while (next?.done) next = method.waiting.shift();
        if (next) this.#sendWaiting(next, this.#state.session);
      }
    } else if (call.failed) method.meter?.record(0, true);
    if (this.#queueHead < this.#queue.length) this.pump();
    if (this.#idle.length > 0 && this.#inFlight === 0) {
      const idle = this.#idle;
      this.#idle = [];
      for (const resolve of idle) resolve();
    }
  }
}

// One executor for all promises of calls, instead of a closure a call.
let captured: (value: unknown) => void;
const capture = (resolve: (value: unknown) => void) => {
  captured = resolve;
};

/** A retried call needs its buffers again, so what goes out is a copy. */
function copyOf(encoded: Encoded): Encoded {
  if (!encoded.attachments) return encoded;
  const attachments = encoded.attachments.map((item) => (item instanceof ArrayBuffer ? item.slice(0) : item));
  return { ...encoded, attachments, transfer: attachments.filter((item): item is ArrayBuffer => item instanceof ArrayBuffer) };
}
