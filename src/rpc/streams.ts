// Streams over a link. The producer sends only against credit that the consumer gave, so a slow consumer slows the
// producer down; leaving a loop early runs the producer's `finally`.

/** Credit a consumer gives at first. An item costs 1, and 1 more per 16 KB of it. */
export const STREAM_WINDOW = 256;
export const BYTES_PER_CREDIT = 16_384;

/** What streams need of the session. */
export interface StreamWires {
  sendNext(stream: number, value: unknown): number;
  sendEnd(stream: number, value: unknown): void;
  sendFail(stream: number, error: unknown): void;
  sendCredit(stream: number, credit: number): void;
  sendStop(stream: number): void;
  /** The link takes no more for now; wait for `whenDrained`. */
  readonly congested: boolean;
  whenDrained(): Promise<void>;
}

type AnyIterator = Iterator<unknown, unknown, unknown> | AsyncIterator<unknown, unknown, unknown>;

/** The producing end: pulls from an iterator while there is credit. */
export class OutgoingStream {
  #credit = STREAM_WINDOW;
  #wake: (() => void) | undefined;
  #stopped = false;
  readonly #listeners: ((left: boolean) => void)[] = [];

  constructor(
    readonly id: number,
    private readonly iterator: AnyIterator,
    private readonly wires: StreamWires,
  ) {}

  /** Runs `listener` when it ends; `left` is true when the consumer left early or the link went. */
  onEnd(listener: (left: boolean) => void): void {
    this.#listeners.push(listener);
  }

  async pump(): Promise<void> {
    try {
      for (;;) {
        if (this.#credit <= 0 && !this.#stopped) await new Promise<void>((resolve) => (this.#wake = resolve));
        if (this.#stopped) return;
        const step = this.iterator.next();
        const { done, value } = step instanceof Promise || typeof (step as PromiseLike<unknown>).then === 'function' ? await step : (step as IteratorResult<unknown>);
        if (this.#stopped) return;
        if (done) {
          this.wires.sendEnd(this.id, value);
          return;
        }
        this.#credit -= this.wires.sendNext(this.id, value);
        if (this.wires.congested) await this.wires.whenDrained();
      }
    } catch (error) {
      if (!this.#stopped) {
        this.wires.sendFail(this.id, error);
        // An item that could not be sent leaves the producer suspended: let its `finally` run.
        this.#leave();
      }
    } finally {
      for (const listener of this.#listeners) listener(this.#stopped);
    }
  }

  grant(credit: number): void {
    this.#credit += credit;
    const wake = this.#wake;
    this.#wake = undefined;
    if (this.#credit > 0) wake?.();
    else this.#wake = wake;
  }

  /** The consumer left, or the link is gone. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
    this.#leave();
  }

  #leave(): void {
    try {
      const left = this.iterator.return?.(undefined);
      if (left && typeof (left as PromiseLike<unknown>).then === 'function') (left as PromiseLike<unknown>).then(undefined, () => {});
    } catch {
      // A `finally` that throws has nobody left to tell.
    }
  }
}

type Settled = { kind: 'end'; value: unknown } | { kind: 'fail'; error: unknown };
interface Waiter {
  resolve(result: IteratorResult<unknown>): void;
  reject(error: unknown): void;
}

/** The consuming end: an async iterator over what arrives. */
export class IncomingStream implements AsyncIterableIterator<unknown> {
  readonly #items: { value: unknown; cost: number }[] = [];
  #head = 0;
  #waiters: Waiter[] = [];
  #settled: Settled | undefined;
  #owed = 0;
  #onEnd: (() => void)[] = [];
  /** For messages: the method that gave it. */
  label = '';

  constructor(
    readonly id: number,
    private readonly wires: StreamWires,
  ) {}

  /** Runs `listener` when no more items will come. */
  onEnd(listener: () => void): void {
    if (this.#settled) listener();
    else this.#onEnd.push(listener);
  }

  push(value: unknown, cost: number): void {
    if (this.#settled) return;
    const waiter = this.#waiters.shift();
    if (waiter) {
      this.#consumed(cost);
      waiter.resolve({ done: false, value });
    } else this.#items.push({ value, cost });
  }

  end(value: unknown): void {
    this.#settle({ kind: 'end', value });
  }

  fail(error: unknown): void {
    this.#settle({ kind: 'fail', error });
  }

  next(): Promise<IteratorResult<unknown>> {
    const items = this.#items;
    if (this.#head < items.length) {
      const { value, cost } = items[this.#head]!;
      items[this.#head++] = undefined as never;
      if (this.#head === items.length) {
        items.length = 0;
        this.#head = 0;
      }
      this.#consumed(cost);
      return Promise.resolve({ done: false, value });
    }
    const settled = this.#settled;
    if (!settled) return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
    this.#settled = { kind: 'end', value: undefined };
    if (settled.kind === 'fail') return Promise.reject(settled.error);
    return Promise.resolve({ done: true, value: settled.value });
  }

  /** Leaves early: the producer's `finally` runs, items on their way are dropped. */
  return(value?: unknown): Promise<IteratorResult<unknown>> {
    this.cancel();
    return Promise.resolve({ done: true, value });
  }

  throw(error?: unknown): Promise<IteratorResult<unknown>> {
    this.cancel();
    return Promise.reject(error);
  }

  /** Stops the producer; who waits, and who asks later, gets `error` or the end. */
  cancel(error?: { reason: unknown }): void {
    const first = this.#settled === undefined;
    this.#items.length = 0;
    this.#head = 0;
    this.#settle(error ? { kind: 'fail', error: error.reason } : { kind: 'end', value: undefined });
    if (!error) this.#settled = { kind: 'end', value: undefined };
    if (first) this.wires.sendStop(this.id);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cancel();
  }

  #consumed(cost: number): void {
    this.#owed += cost;
    // Credit goes back in halves of the window: few messages, and the producer never runs dry in between.
    if (this.#owed >= STREAM_WINDOW / 2 && !this.#settled) {
      this.wires.sendCredit(this.id, this.#owed);
      this.#owed = 0;
    }
  }

  #settle(settled: Settled): void {
    if (this.#settled) return;
    this.#settled = settled;
    const waiters = this.#waiters;
    this.#waiters = [];
    waiters.forEach((waiter, index) => {
      if (settled.kind === 'fail' && index === 0) {
        this.#settled = { kind: 'end', value: undefined };
        waiter.reject(settled.error);
      } else if (index === 0 && settled.kind === 'end') {
        this.#settled = { kind: 'end', value: undefined };
        waiter.resolve({ done: true, value: settled.value });
      } else waiter.resolve({ done: true, value: undefined });
    });
    const listeners = this.#onEnd;
    this.#onEnd = [];
    for (const listener of listeners) listener();
  }
}
