// A call that waits for a free place. It leaves on its turn, at its deadline, or by its signal, whichever is first; once.
import { setMaxListeners } from 'node:events';
import { QueueTimeoutError } from '../errors.js';
import { addDeadline, removeDeadline, type Due } from '../rpc/deadlines.js';
import type { Replica } from './replica.js';
import type { CallToPlace } from './strategy.js';

export interface WaitingCallOptions {
  /** For messages. */
  readonly pool: string;
  readonly queueTimeout: number;
  readonly signal: AbortSignal | undefined;
  /** By the pool's clock. */
  readonly since: number;
  /** Its turn: runs the call in a place of `replica`, now. */
  start(replica: Replica): void;
  fail(error: unknown): void;
  /** It left before its turn. */
  left(): void;
}

export class WaitingCall implements Due {
  dueAt = 0;
  place = -1;
  done = false;
  readonly #onAbort: (() => void) | undefined;

  constructor(
    readonly call: CallToPlace,
    private readonly options: WaitingCallOptions,
  ) {
    const { queueTimeout, signal } = options;
    if (queueTimeout !== Infinity) {
      this.dueAt = performance.now() + queueTimeout;
      addDeadline(this);
    }
    if (signal) {
      this.#onAbort = () => this.leave(signal.reason);
      // One signal for a thousand waiting calls is no leak.
      setMaxListeners(0, signal);
      signal.addEventListener('abort', this.#onAbort, { once: true });
    }
  }

  get since(): number {
    return this.options.since;
  }

  start(replica: Replica): void {
    this.#finish();
    this.options.start(replica);
  }

  expire(): void {
    const { pool, queueTimeout } = this.options;
    this.leave(new QueueTimeoutError(`${pool}.${this.call.method}(): waited ${queueTimeout} ms for a free place in the pool; it never ran`, { method: this.call.method, process: pool, queueTimeout }));
  }

  leave(error: unknown): void {
    if (this.done) return;
    this.#finish();
    this.options.left();
    this.options.fail(error);
  }

  #finish(): void {
    this.done = true;
    if (this.dueAt !== 0) removeDeadline(this);
    if (this.#onAbort) this.options.signal?.removeEventListener('abort', this.#onAbort);
  }
}
