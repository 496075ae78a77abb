// A call that waits for a free place. It leaves on its turn, at its deadline, or by its signal, whichever is first; once.
import { QueueTimeoutError } from '../errors.js';
import { offAbort, onAbort } from '../rpc/abort-listeners.js';
import { addDeadline, removeDeadline, type Due } from '../rpc/deadlines.js';
import { told } from '../rpc/maybe-executed.js';
import type { MethodInfo } from '../rpc/service.js';
import type { CallOptions } from '../types.js';
import type { Replica } from './replica.js';
import type { CallToPlace } from './strategy.js';

/** What is known of a call with more than one attempt. */
export interface Progress {
  /** It has reached a replica. */
  ran: boolean;
  /** One of its attempts may have run the method. */
  begun: boolean;
}

export interface WaitingCallOptions {
  /** Longest wait, ms. */
  readonly queueTimeout: number;
  /** It watches its deadline itself; the others of its line are watched by the line. */
  readonly alone: boolean;
  /** By the pool's clock. */
  readonly since: number;
  readonly progress: Progress | undefined;
}

/** What a pool does for the calls that wait in it. */
export interface WaitingRoom {
  readonly name: string;
  /** Its turn: runs the call in a place of `replica`, now. */
  startWaiting(waiting: WaitingCall, replica: Replica): Promise<unknown>;
  /** It left before its turn. */
  leftWaiting(waiting: WaitingCall): void;
}

export class WaitingCall implements Due {
  /** Milliseconds of `performance.now()`. */
  readonly dueAt: number;
  readonly since: number;
  readonly alone: boolean;
  readonly progress: Progress | undefined;
  place = -1;
  done = false;
  /** The line it stands in. */
  label = '';
  readonly #queueTimeout: number;
  #onAbort: (() => void) | undefined;

  constructor(
    private readonly room: WaitingRoom,
    readonly call: CallToPlace,
    readonly info: MethodInfo,
    readonly args: unknown[],
    readonly options: CallOptions,
    { queueTimeout, alone, since, progress }: WaitingCallOptions,
    private readonly resolve: (value: unknown) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    this.#queueTimeout = queueTimeout;
    this.alone = alone;
    this.since = since;
    this.progress = progress;
    this.dueAt = queueTimeout === Infinity ? Infinity : performance.now() + queueTimeout;
    if (alone && queueTimeout !== Infinity) addDeadline(this);
    const { signal } = options;
    if (!signal) return;
    this.#onAbort = () => this.leave(signal.reason);
    onAbort(signal, this.#onAbort);
  }

  start(replica: Replica): void {
    this.#finish();
    this.room.startWaiting(this, replica).then(this.resolve, this.reject);
  }

  expire(): void {
    const { method } = this.call;
    const { name } = this.room;
    this.leave(new QueueTimeoutError(`${name}.${method}(): waited ${this.#queueTimeout} ms for a free place in the pool${this.progress?.begun ? '' : '; it never ran'}`, { method, process: name, queueTimeout: this.#queueTimeout }));
  }

  leave(error: unknown): void {
    if (this.done) return;
    this.#finish();
    this.room.leftWaiting(this);
    this.reject(error === this.options.signal?.reason ? error : told(error, false));
  }

  #finish(): void {
    this.done = true;
    if (this.alone && this.dueAt !== Infinity) removeDeadline(this);
    if (this.#onAbort) offAbort(this.options.signal!, this.#onAbort);
  }
}
