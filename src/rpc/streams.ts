// Streams over a link. The producer sends only against credit that the consumer gave, so a slow consumer slows the
// producer down; leaving a loop early runs the producer's `finally`. A peer that sends past its credit, or grants more than a window,
// breaks the protocol.
import { ProtocolError } from '../errors.js';
import { runInContext, type CallContext } from './context.js';
import { told } from './maybe-executed.js';
import { thrown } from './thrown.js';

/** Credit a consumer gives at first. An item costs 1, and 1 more per 16 KB of it. */
export const STREAM_WINDOW = 256;
export const BYTES_PER_CREDIT = 16_384;
/** Of what an item takes where it waits: a window of small objects would else be fifteen times as large there. */
export const costOf = (bytes: number): number => 1 + Math.floor(bytes / BYTES_PER_CREDIT);
/** No honest item costs more than this. */
const MAX_COST = 2 ** 31;

/** What streams need of the session. */
export interface StreamWires {
  sendNext(stream: number, value: unknown): number;
  sendEnd(stream: number, value: unknown): void;
  sendFail(stream: number, error: unknown): void;
  sendCredit(stream: number, credit: number): void;
  sendStop(stream: number): void;
  /** An item of that many bytes came (or was taken, if negative). @throws ProtocolError when too much waits */
  unread(bytes: number): void;
  /** The link takes no more for now; wait for `whenDrained`. */
  readonly congested: boolean;
  /** Who is at the other end. */
  readonly peer: string;
  whenDrained(): Promise<void>;
}

type AnyIterator = Iterator<unknown, unknown, unknown> | AsyncIterator<unknown, unknown, unknown>;

/** The producing end: pulls from an iterator while there is credit. */
export class OutgoingStream {
  /** The call that the producer belongs to: its body runs in it. */
  context: CallContext | undefined;
  #iterator: AnyIterator | undefined;
  #credit = STREAM_WINDOW;
  #wake: (() => void) | undefined;
  #state: 'new' | 'running' | 'ended' = 'new';
  #stopped = false;
  readonly #onLeave: (() => void)[] = [];
  readonly #onEnd: (() => void)[] = [];

  constructor(
    readonly id: number,
    private readonly source: object,
    private readonly wires: StreamWires,
  ) {}

  /** Runs `listener` as soon as the consumer leaves or the link goes, which may be long before the producer notices. */
  onLeave(listener: () => void): void {
    this.#onLeave.push(listener);
  }

  /** Runs `listener` when the producer is done. */
  onEnd(listener: () => void): void {
    this.#onEnd.push(listener);
  }

  start(): void {
    if (this.#state !== 'new') return;
    this.#state = 'running';
    if (this.context) runInContext(this.context, () => void this.#pump(), undefined);
    else void this.#pump();
  }

  /** The encode that announced it failed: it never was. The source is left as it is. */
  forget(): void {
    this.#stopped = true;
    this.#ended();
  }

  async #pump(): Promise<void> {
    try {
      const iterator = (this.#iterator = iteratorOf(this.source));
      for (;;) {
        if (this.#credit <= 0 && !this.#stopped) await new Promise<void>((resolve) => (this.#wake = resolve));
        if (this.#stopped) return;
        const step = iterator.next();
        const result: unknown = 'then' in step ? await step : step;
        if (this.#stopped) return;
        if (typeof result !== 'object' || result === null) throw new TypeError(`an iterator answered ${String(result)} in place of { done, value }`);
        const { done, value } = result as IteratorResult<unknown>;
        if (done) {
          this.wires.sendEnd(this.id, value);
          return;
        }
        // Just before it is sent: all the streams of a link begin, and wake up, together, and each would send one more.
        while (this.wires.congested) {
          await this.wires.whenDrained();
          if (this.#stopped) return;
        }
        this.#credit -= this.wires.sendNext(this.id, value);
        if (this.wires.congested) await this.wires.whenDrained();
      }
    } catch (error) {
      if (!this.#stopped) {
        this.#sendFail(error);
        // An item that could not be sent leaves the producer suspended: let its `finally` run.
        this.#leave();
      }
    } finally {
      this.#ended();
    }
  }

  /** @throws ProtocolError */
  grant(credit: unknown): void {
    if (!isCount(credit)) throw new ProtocolError('a stream was given a credit that is no count');
    // What is under way and what is granted make up one window at the most.
    if (this.#credit + credit > STREAM_WINDOW) throw new ProtocolError('a stream was given more credit than its window');
    this.#credit += credit;
    if (this.#credit > 0) this.#resume();
  }

  /** The consumer left, or the link is gone. */
  stop(): void {
    if (this.#stopped || this.#state === 'ended') return;
    this.#stopped = true;
    for (const listener of this.#onLeave) listener();
    this.#resume();
    this.#leave();
    if (this.#state === 'new') this.#ended();
  }

  #resume(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #ended(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    for (const listener of this.#onEnd) listener();
  }

  #sendFail(error: unknown): void {
    try {
      this.wires.sendFail(this.id, error);
    } catch {
      // The link broke while it was told.
    }
  }

  #leave(): void {
    try {
      const left = (this.#iterator ?? iteratorOf(this.source)).return?.(undefined);
      if (left && typeof (left as PromiseLike<unknown>).then === 'function') (left as PromiseLike<unknown>).then(undefined, () => {});
    } catch {
      // A `finally` that throws has nobody left to tell.
    }
  }
}

function iteratorOf(value: object): AnyIterator {
  const source = value as { [Symbol.asyncIterator]?: () => AnyIterator; [Symbol.iterator]?: () => AnyIterator };
  const iterator = source[Symbol.asyncIterator]?.() ?? source[Symbol.iterator]?.();
  return iterator ?? (value as AnyIterator);
}

const isCount = (value: unknown): value is number => Number.isInteger(value) && (value as number) > 0 && (value as number) <= MAX_COST;

/** The cost of an item of which `bytes` came. @throws ProtocolError when the peer understates it: it could fill this side's memory */
export function checkCost(cost: unknown, bytes: number): number {
  if (!isCount(cost)) throw new ProtocolError('a stream item whose cost is no count');
  if (bytes >= (cost + 1) * BYTES_PER_CREDIT) throw new ProtocolError('a stream item that is larger than its cost says');
  return cost;
}

/** `own`: the error is the consumer's. */
type Settled = { kind: 'end'; value: unknown } | { kind: 'fail'; error: unknown; own: boolean };
type Waiter = (result: IteratorResult<unknown> | Promise<never>) => void;
/**
 * `bytes`: of memory, while nobody has taken it, which may be far more than came; `streams`: those that stand in the value; they are
 * left together with an item that nobody takes.
 */
export interface Item { value: unknown; cost: number; bytes: number; streams: readonly IncomingStream[] }

const OVER: Settled = { kind: 'end', value: undefined };

/** The consuming end: an async iterator over what arrives. */
export class IncomingStream implements AsyncIterableIterator<unknown> {
  readonly #items: Item[] = [];
  #head = 0;
  #waiters: Waiter[] = [];
  #settled: Settled | undefined;
  /** The end was handed out (or the consumer left): nothing more is said. */
  #told = false;
  #owed = 0;
  /** What the producer may still send. */
  #credit = STREAM_WINDOW;
  #onEnd: (() => void)[] = [];
  /** For messages: the method that gave it. */
  label = '';
  /** Where its errors come from, for stacks. */
  from: string;

  constructor(
    readonly id: number,
    private readonly wires: StreamWires,
  ) {
    this.from = wires.peer;
  }

  /** Runs `listener` when no more items will come. */
  onEnd(listener: () => void): void {
    if (this.#settled) listener();
    else this.#onEnd.push(listener);
  }

  /** @throws ProtocolError when the peer sends more than it was given credit for */
  push(item: Item): void {
    if (this.#settled) {
      for (const stream of item.streams) stream.cancel();
      return;
    }
    const { value, cost } = item;
    // The last item may cost more than what is left, since it cannot be cut.
    if (this.#credit <= 0) throw new ProtocolError('a stream was sent more than its consumer asked for');
    this.#credit -= cost;
    const waiter = this.#waiters.shift();
    if (waiter) {
      this.#consumed(cost);
      waiter({ done: false, value });
      return;
    }
    this.wires.unread(item.bytes);
    this.#items.push(item);
  }

  /** `streams`: those that stand in the return value; they are left when nobody hears of it. */
  end(value: unknown, streams: readonly IncomingStream[] = []): void {
    if (this.#settled) for (const stream of streams) stream.cancel();
    else this.#settle({ kind: 'end', value });
  }

  fail(error: unknown): void {
    // Its call was answered, so the method has begun.
    this.#settle({ kind: 'fail', error: told(error, true), own: false });
  }

  next(): Promise<IteratorResult<unknown>> {
    const items = this.#items;
    if (this.#head < items.length) {
      const { value, cost, bytes } = items[this.#head]!;
      this.wires.unread(-bytes);
      items[this.#head++] = undefined as never;
      if (this.#head === items.length) {
        items.length = 0;
        this.#head = 0;
      }
      this.#consumed(cost);
      return Promise.resolve({ done: false, value });
    }
    const settled = this.#settled;
    return new Promise((resolve) => (settled ? this.#tell(settled, resolve) : this.#waiters.push(resolve)));
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
    const settled: Settled = error ? { kind: 'fail', error: error.reason, own: true } : OVER;
    const first = this.#settled === undefined;
    for (const item of this.#items.splice(0)) {
      if (!item) continue;
      this.wires.unread(-item.bytes);
      for (const stream of item.streams) stream.cancel();
    }
    this.#head = 0;
    if (first) {
      this.#settle(settled);
      this.wires.sendStop(this.id);
    } else this.#settled = settled; // What was dropped must not look like the end of the stream.
    if (!error) this.#told = true;
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
      this.#credit += this.#owed;
      this.wires.sendCredit(this.id, this.#owed);
      this.#owed = 0;
    }
  }

  #tell(settled: Settled, waiter: Waiter): void {
    const told = this.#told;
    this.#told = true;
    if (told) waiter({ done: true, value: undefined });
    else if (settled.kind === 'fail') waiter(thrown(settled.error, settled.own ? undefined : this.from));
    else waiter({ done: true, value: settled.value });
  }

  #settle(settled: Settled): void {
    if (this.#settled) return;
    this.#settled = settled;
    for (const waiter of this.#waiters.splice(0)) this.#tell(settled, waiter);
    for (const listener of this.#onEnd.splice(0)) listener();
  }
}
