// A call of something the peer lent: a callback, or a method of a proxy. Lighter than a Call: it is never queued or repeated.
// Invariant: settles once, by its answer, the end of the link, or the caller's signal.
import type { Transferable } from '../types.js';
import { offAbort, onAbort } from './abort-listeners.js';
import type { Scope } from './references.js';
import type { PendingCall } from './pending-call.js';
import type { Session } from './session.js';
import type { IncomingStream } from './streams.js';
import { told } from './maybe-executed.js';
import { thrown } from './thrown.js';

export interface ReferenceOptions {
  readonly meta?: unknown[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly transfer?: readonly Transferable[] | undefined;
  /** Called when it has failed: nobody may have waited for it. */
  readonly onFailed?: () => void;
}

export class ReferenceCall implements PendingCall {
  /** 0 while it has not been sent, and when that began nothing. */
  id = 0;
  scope: Scope | undefined = undefined;
  #settled = false;
  #streams: readonly IncomingStream[] = [];

  constructor(
    private readonly session: Session,
    readonly label: string,
    private readonly resolve: (value: unknown) => void,
    private readonly options: ReferenceOptions,
  ) {
    if (options.signal) onAbort(options.signal, this.#onAbort);
  }

  get from(): string {
    return this.session.peer;
  }

  settle(value: unknown, streams: readonly IncomingStream[]): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#streams = streams;
    if (streams.length > 0) streams[0]!.onEnd(() => this.#unwatch());
    else this.#unwatch();
    this.resolve(value);
  }

  fail(error: unknown): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#unwatch();
    const own = error === this.options.signal?.reason;
    this.resolve(own ? thrown(error, undefined, this.options.onFailed) : thrown(told(error, this.id > 0), this.from, this.options.onFailed));
  }

  unsent(): void {
    this.id = 0;
  }

  readonly #onAbort = () => {
    const { reason } = this.options.signal!;
    if (this.#settled) for (const stream of this.#streams) stream.cancel({ reason });
    else {
      this.fail(reason);
      this.session.cancel(this.id, reason);
    }
  };

  #unwatch(): void {
    if (this.options.signal) offAbort(this.options.signal, this.#onAbort);
  }
}
