// One call on its way: waiting, sent, settled. A single object from the proxy to the answer.
// Invariant: `settle`, `fail` and `expire` have an effect once; the first one wins.
import { CallTimeoutError, QueueTimeoutError } from '../errors.js';
import { offAbort, onAbort } from './abort-listeners.js';
import { addDeadline, removeDeadline, type Due } from './deadlines.js';
import type { Client, MethodState } from './client.js';
import type { Headers } from './meta.js';
import { now } from './now.js';
import type { Scope } from './references.js';
import type { PendingCall } from './pending-call.js';
import type { Session } from './session.js';
import type { Snapshot } from './snapshot.js';
import type { IncomingStream } from './streams.js';
import type { CallOptions } from '../types.js';
import { told } from './maybe-executed.js';
import { thrown } from './thrown.js';

export type Stage = 'new' | 'queued' | 'sent' | 'settled';

export class Call implements PendingCall, Due {
  stage: Stage = 'new';
  failed = false;
  resolve!: (value: unknown) => void;
  /** What to send when the time comes, or once more: the arguments as they were when the call was made. */
  snapshot: Snapshot | undefined;
  /** As they were when the call was made: it may be sent from within another. */
  headers: Headers | undefined;
  session: Session | undefined;
  id = 0;
  /** How often it was handed to a link, without those times that are known to have begun nothing. */
  attempts = 0;
  sentAt = 0;
  scope: Scope | undefined = undefined;
  dueAt = 0;
  place = -1;
  timeout: number | undefined;
  /** Of the call it is made from; `performance.now()`. Queue and run together end by then. */
  deadline: number | undefined;
  queueTimeout = 0;
  #onAbort: (() => void) | undefined;
  #streams: readonly IncomingStream[] | undefined;

  constructor(
    readonly client: Client,
    readonly method: MethodState,
    readonly options: CallOptions,
    /** Counts up with the calls of a client. */
    readonly order: number,
  ) {}

  get label(): string {
    return this.method.info.name;
  }

  /** Where its errors come from, for stacks. */
  get from(): string {
    return this.client.describe;
  }

  get done(): boolean {
    return this.stage === 'settled';
  }

  /** Starts to listen for the caller's signal. */
  watch(signal: AbortSignal): void {
    this.#onAbort = () => this.abort(signal.reason);
    onAbort(signal, this.#onAbort);
  }

  queued(): void {
    this.stage = 'queued';
    this.#due(now() + this.queueTimeout);
  }

  /** ms that it may run from now on; undefined when nothing bounds it. */
  timeLeft(): number | undefined {
    if (this.deadline === undefined) return this.timeout;
    return Math.max(1, Math.min(this.timeout ?? Infinity, this.deadline - now()));
  }

  sent(session: Session, id: number): void {
    this.stage = 'sent';
    this.session = session;
    this.id = id;
    this.attempts++;
    this.sentAt = session.outbox.begunAt;
    // What bounds it is counted exactly: the caller may keep this tick going for long.
    if (this.timeout !== undefined || this.deadline !== undefined) this.#due(now() + (this.timeout ?? Infinity));
    else if (this.dueAt !== 0) this.#clearDeadline();
  }

  pastDeadline(of = 'the call it was made from'): CallTimeoutError {
    const { name } = this.client;
    return new CallTimeoutError(`${name}.${this.label}(): the deadline of ${of} has passed`, { method: this.label, process: name, timeout: this.timeout ?? 0 });
  }

  expire(): void {
    this.dueAt = 0;
    const { name } = this.client;
    const late = this.deadline !== undefined && now() >= this.deadline ? this.pastDeadline() : undefined;
    if (this.stage === 'queued') {
      this.fail(late ?? new QueueTimeoutError(`${name}.${this.label}(): waited ${this.queueTimeout} ms for ${this.client.waitingFor()}${this.attempts > 0 ? '' : '; it never ran'}`, { method: this.label, process: name, queueTimeout: this.queueTimeout }));
    } else if (this.stage === 'sent') {
      this.#leave(late ?? new CallTimeoutError(`${name}.${this.label}(): no answer within its timeout of ${Math.round(this.timeout!)} ms`, { method: this.label, process: name, timeout: this.timeout! }));
    }
  }

  /** The caller's signal aborted. */
  abort(reason: unknown): void {
    if (this.stage === 'sent') this.#leave(reason);
    else if (this.stage === 'settled') {
      if (this.#streams) for (const stream of this.#streams) stream.cancel({ reason });
    } else this.fail(reason);
  }

  settle(value: unknown, streams: readonly IncomingStream[]): void {
    if (this.stage === 'settled') return;
    if (streams.length > 0 && this.#onAbort) {
      this.#streams = streams;
      const unwatch = this.#onAbort;
      let open = streams.length;
      for (const stream of streams) stream.onEnd(() => --open === 0 && offAbort(this.options.signal!, unwatch));
    } else this.#unwatch();
    this.#settled();
    this.resolve(value);
  }

  fail(error: unknown): void {
    if (this.stage === 'settled') return;
    this.#unwatch();
    this.failed = true;
    this.#settled();
    // The caller's own reason is the caller's own object.
    const own = error === this.options.signal?.reason;
    this.resolve(own ? thrown(error, undefined) : thrown(told(error, this.attempts > 0), this.from));
  }

  unsent(): void {
    this.attempts--;
  }

  #leave(reason: unknown): void {
    const { session, id } = this;
    // Before it settles, which lets the next one go.
    this.client.hold(session!);
    this.fail(reason);
    session?.cancel(id, reason);
    this.client.suspect(this);
  }

  #unwatch(): void {
    if (this.#onAbort) offAbort(this.options.signal!, this.#onAbort);
    this.#onAbort = undefined;
  }

  #due(at: number): void {
    this.#clearDeadline();
    const dueAt = Math.min(at, this.deadline ?? Infinity);
    if (dueAt === Infinity) return;
    this.dueAt = dueAt;
    addDeadline(this);
  }

  #clearDeadline(): void {
    if (this.dueAt === 0) return;
    removeDeadline(this);
    this.dueAt = 0;
  }

  #settled(): void {
    const { stage } = this;
    this.#clearDeadline();
    this.stage = 'settled';
    this.snapshot = undefined;
    this.client.settled(this, stage);
  }
}
