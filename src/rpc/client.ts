// The caller's side of one process, across all its incarnations: the proxy keeps one Client while sessions come and go.
// Invariants: calls start in the order made; a call that was never sent waits for the next session; one that was sent
// when its session died fails at once, unless its method is idempotent.
import { QueueFullError } from '../errors.js';
import { parseDuration } from '../units.js';
import type { CallOptions } from '../types.js';
import { Call, type Stage } from './call.js';
import { CallQueue } from './call-queue.js';
import type { ClientOptions } from './client-options.js';
import { currentContext, nextTraceparent } from './context.js';
import { DEFAULT_LIMITS } from './frames.js';
import { asResult } from './iterate-result.js';
import { Hold } from './hold.js';
import { encodeMeta, inheritHeaders, timeLeft, type Headers } from './meta.js';
import { told } from './maybe-executed.js';
import { now } from './now.js';
import type { MethodMeter } from './meter.js';
import { methodNotFound, type RemoteTarget } from './remote.js';
import type { MethodInfo } from './service.js';
import type { Session } from './session.js';
import { copyOf, Snapshots, type Snapshot } from './snapshot.js';
import { transferOfArguments } from './transfer.js';
import { nameMethod } from './uncloneable.js';

/** Runs of an idempotent call before its crash is reported. */
const MAX_ATTEMPTS = 4;
/** Waiting calls that are sent in one go when a process comes up; a turn of the event loop follows. */
const PUMP_AT_ONCE = 2_048;
const DEFAULT_QUEUE_TIMEOUT = 30_000;

export interface MethodState {
  info: MethodInfo;
  readonly meter: MethodMeter | undefined;
  active: number;
  /** Those that wait for `concurrency` alone. */
  readonly waiting: CallQueue;
}

type State = { kind: 'waiting'; reason: string } | { kind: 'open'; session: Session } | { kind: 'refused'; error: () => Error };

export class Client implements RemoteTarget {
  readonly #methods = new Map<string, MethodState>();
  #methodNames: readonly string[] = [];
  #withheld: readonly string[] = [];
  #state: State = { kind: 'waiting', reason: 'it to start' };
  readonly #queue = new CallQueue();
  #queued = 0;
  #order = 0;
  #pumping = false;
  /** Enough was sent in this turn of the event loop. */
  #resting = false;
  #snapshots: Snapshots | undefined;
  #idle: (() => void)[] = [];
  #inFlight = 0;
  #lastSettled = 0;
  #lastAnswered = 0;
  readonly #hold = new Hold((held) => {
    this.options.onHeld?.(held);
    if (!held) this.pump();
  });

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

  /** Where calls go now; undefined while they wait. */
  get session(): Session | undefined {
    return this.#state.kind === 'open' ? this.#state.session : undefined;
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
    return this.#queued;
  }

  /** It has calls under way or waiting, or streams open. */
  get busy(): boolean {
    return this.#inFlight > 0 || this.queued > 0 || (this.#state.kind === 'open' && this.#state.session.live.openStreams > 0);
  }

  /** When a call last settled (`performance.now()`). */
  get lastSettled(): number {
    return this.#lastSettled;
  }

  /** When a call last got a result (`performance.now()`). */
  get lastAnswered(): number {
    return this.#lastAnswered;
  }

  /** Calls wait until the process has shown that it is not stuck. */
  get held(): boolean {
    return this.#hold.session !== undefined;
  }

  waitingFor(): string {
    return this.#state.kind === 'waiting' ? this.#state.reason : this.held ? 'its event loop to answer' : 'a free place';
  }

  /** Resolves when every call that was sent has settled. */
  idle(): Promise<void> {
    return this.#inFlight === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  // ── the incarnations ──

  /** Methods of the class that are not public. */
  withheld(): readonly string[] {
    return this.#withheld;
  }

  /** What the process says it can do, and what its class could but for `@Public()`. */
  describeMethods(methods: readonly MethodInfo[], withheld: readonly string[] = []): void {
    this.#withheld = withheld;
    this.#methodNames = methods.map(({ name }) => name);
    for (const info of methods) {
      const known = this.#methods.get(info.name);
      if (known) known.info = info;
      else this.#methods.set(info.name, { info, meter: this.options.meter?.method(info.name), active: 0, waiting: new CallQueue() });
    }
    const current = new Set(this.#methodNames);
    for (const name of this.#methods.keys()) if (!current.has(name)) this.#methods.delete(name);
  }

  /** Calls go to `session` from now on, those that waited first. */
  attach(session: Session): void {
    this.#state = { kind: 'open', session };
    this.#hold.end();
    this.pump();
  }

  /** The session is gone; calls wait from now on. `error` makes the error of a call of `method` that was sent. Answers the methods of those that were. */
  detach(session: Session, error: (method: string) => Error, reason: string): Set<string> {
    if (this.#state.kind === 'open' && this.#state.session === session) this.#state = { kind: 'waiting', reason };
    if (this.#hold.session === session) this.#hold.end();
    const again: Call[] = [];
    const methods = new Set<string>();
    for (const call of session.abandon(error)) {
      if (call instanceof Call && call.attempts > 0) methods.add(call.label);
      // A control call is none of ours to repeat.
      if (call instanceof Call && call.snapshot && call.attempts < MAX_ATTEMPTS && this.#state.kind === 'waiting') again.push(call);
      else call.fail(error(call.label));
    }
    for (const call of again) this.#requeue(call);
    // Whatever they waited for, all wait for the next session now, in the order they were made.
    const waiting = [...again, ...this.#takeWaiting()];
    for (const call of waiting.sort((a, b) => a.order - b.order)) this.#queue.push(call);
    return methods;
  }

  /** A call of `session` was given up: what comes now waits until its peer has answered, for a stuck one would take it along. */
  hold(session = this.session): void {
    if (session !== undefined && session === this.session && !session.closed) this.#hold.begin(session);
  }

  #takeWaiting(): Call[] {
    const waiting = this.#queue.takeAll();
    for (const method of this.#methods.values()) waiting.push(...method.waiting.takeAll());
    return waiting;
  }

  /** No more calls: those that wait fail, and so does what comes. */
  refuse(error: () => Error): void {
    this.#state = { kind: 'refused', error };
    for (const call of this.#takeWaiting()) call.fail(error());
  }

  /** Calls wait again after `refuse`. */
  wait(reason: string): void {
    this.#state = { kind: 'waiting', reason };
  }

  // ── calls ──

  invoke(name: string, args: unknown[], options: CallOptions): Promise<unknown> {
    const method = this.#methods.get(name);
    if (method === undefined) return asResult(Promise.reject(told(this.#state.kind === 'refused' ? this.#state.error() : methodNotFound(this, name), false)));
    const call = new Call(this, method, options, this.#order++);
    const answer = new Promise(capture);
    call.resolve = captured!;
    captured = undefined;
    try {
      this.#start(call, args);
    } catch (error) {
      call.fail(error);
    }
    return asResult(answer);
  }

  #start(call: Call, args: unknown[]): void {
    const { options, method } = call;
    const { signal } = options;
    const timeout = options.timeout ?? method.info.timeout ?? this.options.timeout;
    if (timeout !== undefined) {
      const ms = parseDuration(timeout, 'timeout');
      if (ms !== Infinity) call.timeout = ms;
    }
    const left = timeLeft();
    if (left !== undefined) {
      call.deadline = now() + left;
      if (left <= 0) {
        call.fail(call.pastDeadline(`${currentContext()!.process}.${currentContext()!.method}`));
        return;
      }
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
      call.headers = this.#headers(options.headers);
      if (state.kind === 'refused' && !this.options.onRefused?.()) call.fail(state.error());
      else if (state.kind === 'open' && this.#takes(state.session) && hasRoom(method) && method.waiting.empty && this.#queue.empty) this.#send(call, state.session, args);
      else if (state.kind === 'waiting' && options.whileRestarting === 'fail') {
        call.fail(new QueueFullError(`${this.name}.${call.label}(): the process is not ready (waits for ${state.reason}) and the call is set to fail at once`, { process: this.name, maxQueue: 0, retryAfter: 100 }));
      } else this.#enqueue(call, args);
    } catch (error) {
      call.fail(nameMethod(error, this.name, call.label));
    }
  }

  /** A session that has ended is left in place until it is known why; nothing is sent to it. */
  #takes(session: Session): boolean {
    return !session.closed && !session.congested && session !== this.#hold.session && this.#inFlight < (this.options.maxInFlight ?? DEFAULT_LIMITS.maxInFlight);
  }

  #send(call: Call, session: Session, args: unknown[]): void {
    const { options, method } = call;
    const { number, idempotent } = method.info;
    const again = options.idempotent ?? idempotent;
    if (again) call.snapshot ??= this.#snapshotOf(args, call);
    const { snapshot } = call;
    const keep = again && snapshot?.repeatable === true;
    const meta = encodeMeta(call.headers, call.timeLeft());
    let id: number;
    if (snapshot?.encoded) id = session.sendEncoded(call, number, keep ? copyOf(snapshot.encoded) : snapshot.encoded, meta);
    else if (snapshot) id = session.call(call, number, snapshot.args!, keep ? undefined : snapshot.transfer, meta);
    else id = session.call(call, number, args, transferOfArguments(args, options.transfer), meta);
    if (!keep) call.snapshot = undefined;
    if (call.stage === 'queued') this.#queued--;
    this.#inFlight++;
    method.active++;
    call.sent(session, id);
  }

  #headers(own: Headers | undefined): Headers | undefined {
    const headers = inheritHeaders(own);
    return this.options.tracing ? { ...headers, traceparent: nextTraceparent(headers?.['traceparent']) } : headers;
  }

  #enqueue(call: Call, args: unknown[]): void {
    const maxQueue = this.options.maxQueue ?? DEFAULT_LIMITS.maxQueue;
    if (this.queued >= maxQueue) {
      call.fail(new QueueFullError(`${this.name}.${call.label}(): ${maxQueue} calls wait already for ${this.waitingFor()}`, { process: this.name, maxQueue, retryAfter: 100 }));
      return;
    }
    call.snapshot = this.#snapshotOf(args, call);
    this.#wait(call);
    const { method } = call;
    // While its own method is full, others need not wait for it.
    if (this.#state.kind === 'open' && !hasRoom(method) && this.#queue.empty) method.waiting.push(call);
    else this.#queue.push(call);
  }

  #snapshotOf(args: unknown[], call: Call): Snapshot {
    this.#snapshots ??= new Snapshots(this.options.level, this.options.maxFrame ?? DEFAULT_LIMITS.maxFrame);
    return this.#snapshots.take(args, call.options.transfer);
  }

  #requeue(call: Call): void {
    this.#inFlight--;
    call.method.active--;
    this.#wait(call);
  }

  #wait(call: Call): void {
    call.queueTimeout = parseDuration(call.options.queueTimeout ?? this.options.queueTimeout ?? DEFAULT_QUEUE_TIMEOUT, 'queueTimeout');
    call.queued();
    this.#queued++;
  }

  /** Sends what waits, as far as there is room. */
  pump(): void {
    // A call that fails as it is sent asks for the next one: that is this loop's business.
    if (this.#pumping || this.#resting || this.#queued === 0) return;
    this.#pumping = true;
    try {
      for (const method of this.#methods.values()) this.#pumpMethod(method);
      for (let call = this.#queue.peek(), sent = 0; call && this.#state.kind === 'open' && this.#takes(this.#state.session); call = this.#queue.peek()) {
        if (sent++ === PUMP_AT_ONCE) {
          this.#resting = true;
          setImmediate(() => {
            this.#resting = false;
            this.pump();
          });
          break;
        }
        this.#queue.shift();
        const { method } = call;
        if (hasRoom(method) && method.waiting.empty) this.#sendWaiting(call, this.#state.session);
        else method.waiting.push(call);
      }
    } finally {
      this.#pumping = false;
    }
  }

  #pumpMethod(method: MethodState): void {
    for (let call = method.waiting.peek(); call && hasRoom(method) && this.#state.kind === 'open' && this.#takes(this.#state.session); call = method.waiting.peek()) {
      method.waiting.shift();
      this.#sendWaiting(call, this.#state.session);
    }
  }

  #sendWaiting(call: Call, session: Session): void {
    if (!this.#methods.has(call.label)) {
      call.fail(methodNotFound(this, call.label));
      return;
    }
    try {
      this.#send(call, session, []);
    } catch (error) {
      call.fail(nameMethod(error, this.name, call.label));
    }
  }

  /** A sent call was given up by timeout or signal. */
  suspect(call: Call): void {
    this.options.onSuspect?.(call);
  }

  /** Book-keeping of a call that has just settled; `stage` is where it was until then. */
  settled(call: Call, stage: Stage): void {
    const { method } = call;
    if (stage === 'queued') this.#queued--;
    if (stage === 'sent') {
      this.#inFlight--;
      method.active--;
      this.#lastSettled = call.failed ? now() : (this.#lastAnswered = call.session!.receivedAt);
      method.meter?.record(this.#lastSettled - call.sentAt, call.failed);
    } else if (call.failed) method.meter?.record(0, true);
    this.pump();
    if (this.#idle.length > 0 && this.#inFlight === 0) {
      const idle = this.#idle;
      this.#idle = [];
      for (const resolve of idle) resolve();
    }
  }
}

// One executor for all promises of calls, instead of a closure a call.
let captured: ((value: unknown) => void) | undefined;
const capture = (resolve: (value: unknown) => void) => {
  captured = resolve;
};

const hasRoom = ({ info, active }: MethodState): boolean => info.concurrency === undefined || active < info.concurrency;
