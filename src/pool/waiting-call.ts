// A call that waits for a free place: in the pool's queue, or bound to one replica. It leaves on its turn, its deadline, or
// its signal, whichever is first.
import { QueueTimeoutError } from '../errors.js';
import { addDeadline, removeDeadline, type Due } from '../rpc/deadlines.js';
import type { Replica } from './replica.js';
import type { CallToPlace } from './strategy.js';

export class WaitingCall implements Due {
  readonly since = performance.now();
  dueAt = 0;
  done = false;
  readonly place: Promise<Replica>;
  #resolve!: (replica: Replica) => void;
  #reject!: (error: unknown) => void;
  readonly #onAbort: (() => void) | undefined;

  constructor(
    readonly call: CallToPlace,
    private readonly pool: string,
    private readonly queueTimeout: number,
    private readonly signal: AbortSignal | undefined,
    /** It left before its turn. */
    private readonly onLeft: () => void,
  ) {
    this.place = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (queueTimeout !== Infinity) {
      this.dueAt = this.since + queueTimeout;
      addDeadline(this);
    }
    if (signal) {
      this.#onAbort = () => this.leave(signal.reason);
      signal.addEventListener('abort', this.#onAbort, { once: true });
    }
  }

  /** Its turn: the place is reserved already. */
  assign(replica: Replica): void {
    this.#finish();
    this.#resolve(replica);
  }

  expire(): void {
    this.leave(new QueueTimeoutError(`${this.pool}.${this.call.method}(): waited ${this.queueTimeout} ms for a free place in the pool; it never ran`, { method: this.call.method, process: this.pool, queueTimeout: this.queueTimeout }));
  }

  leave(error: unknown): void {
    if (this.done) return;
    this.#finish();
    this.onLeft();
    this.#reject(error);
  }

  #finish(): void {
    this.done = true;
    if (this.dueAt !== 0) removeDeadline(this);
    if (this.#onAbort) this.signal?.removeEventListener('abort', this.#onAbort);
  }
}
