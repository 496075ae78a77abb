// One call on its way: waiting, sent, settled. A single object from the proxy to the answer.
// Invariant: `settle`, `fail` and `expire` have an effect once; the first one wins.
import { CallTimeoutError, QueueTimeoutError } from '../errors.js';
import { addDeadline, removeDeadline, type Due } from './deadlines.js';
import type { Encoded } from './codec.js';
import type { Client, MethodState } from './client.js';
import type { Session, PendingCall } from './session.js';
import type { IncomingStream } from './streams.js';
import type { CallOptions } from '../types.js';
import { joinStacks } from './wire-error.js';

type Stage = 'new' | 'queued' | 'sent' | 'settled';

export class Call implements PendingCall, Due {
  stage: Stage = 'new';
  failed = false;
  error: unknown;
  resolve!: (value: unknown) => void;
  /** What to send when the time comes: the arguments as they were when the call was made, or those themselves. */
  snapshot: Encoded | undefined;
  args: unknown[] | undefined;
  session: Session | undefined;
  id = 0;
  attempts = 0;
  sentAt = 0;
  dueAt = 0;
  timeout: number | undefined;
  queueTimeout = 0;
  #onAbort: (() => void) | undefined;
  #streams: readonly IncomingStream[] | undefined;

  constructor(
    readonly client: Client,
    readonly method: MethodState,
    readonly options: CallOptions,
  ) {}

  get label(): string {
    return this.method.info.name;
  }

  get done(): boolean {
    return this.stage === 'settled';
  }

  /** Starts to listen for the caller's signal. */
  watch(signal: AbortSignal): void {
    this.#onAbort = () => this.abort(signal.reason);
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  queued(): void {
    this.stage = 'queued';
    if (this.queueTimeout === Infinity) return;
    this.dueAt = performance.now() + this.queueTimeout;
    addDeadline(this);
  }

  sent(session: Session, id: number): void {
    this.stage = 'sent';
    this.session = session;
    this.id = id;
    this.attempts++;
    this.sentAt = performance.now();
    this.#clearDeadline();
    if (this.timeout !== undefined) {
      this.dueAt = this.sentAt + this.timeout;
      addDeadline(this);
    }
  }

  expire(): void {
    this.dueAt = 0;
    const { name } = this.client;
    if (this.stage === 'queued') {
      this.fail(new QueueTimeoutError(`${name}.${this.label}(): waited ${this.queueTimeout} ms for ${this.client.waitingFor()}; it never ran`, { method: this.label, process: name, queueTimeout: this.queueTimeout }));
    } else if (this.stage === 'sent') {
      const error = new CallTimeoutError(`${name}.${this.label}(): no answer within its timeout of ${Math.round(this.timeout!)} ms`, { method: this.label, process: name, timeout: this.timeout! });
      this.#leave(error);
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
      streams[0]!.onEnd(() => this.options.signal?.removeEventListener('abort', unwatch));
    } else this.#unwatch();
    this.#settled();
    this.resolve(value);
  }

  fail(error: unknown): void {
    if (this.stage === 'settled') return;
    this.#unwatch();
    this.failed = true;
    this.error = error;
    this.#settled();
    this.resolve(undefined);
  }

  /** The error with the caller's frames behind the process's own. Runs inside the caller's await, so those frames are known. */
  thrown(): unknown {
    const { error } = this;
    if (error instanceof Error && error !== this.options.signal?.reason) joinStacks(error, this.client.describe);
    return error;
  }

  #leave(reason: unknown): void {
    const { session, id } = this;
    this.fail(reason);
    session?.cancel(id, reason);
    this.client.suspect(this);
  }

  #unwatch(): void {
    if (this.#onAbort) this.options.signal!.removeEventListener('abort', this.#onAbort);
    this.#onAbort = undefined;
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
    this.args = undefined;
    this.client.settled(this, stage === 'sent');
  }
}
