// How much of a link may be read on: a peer that sends faster than this side works, or reads no answers, waits; its bytes stay in the pipe.
// Invariant: what waits here is bounded. A link over its budget is paused, and closed when nothing moves for long.
import { ProtocolError } from '../errors.js';
import type { Session } from './session.js';

/** Up to so much of what nobody has taken, bytes are counted; above it, what they stand for. */
const FEW_BYTES = 4 * 1024 * 1024;
// Taken early, so that fake timers of a test framework do not stop it.
const { setTimeout, clearTimeout } = globalThis;

export class Allowance {
  #unread = 0;
  #waiting = 0;
  #paused = false;
  #stuck: NodeJS.Timeout | undefined;

  constructor(
    private readonly session: Session,
    /** Called when reading may go on. */
    private readonly onRelief: () => void,
  ) {}

  /** Items that nobody has taken are so many that they have to be weighed. */
  get crowded(): boolean {
    return this.#unread > FEW_BYTES;
  }

  /** No more is to be read for now. */
  get spent(): boolean {
    return this.#stuck !== undefined || this.session.backlogged;
  }

  /** `bytes` of stream items came that nobody waited for, or were taken if negative. */
  unread(bytes: number): void {
    this.#unread += bytes;
    if (this.#unread > this.session.limits.maxUnread) this.#hold();
    else if (this.#stuck) this.#release();
    // One that is taken now and then is slow, not stuck.
    if (bytes < 0) this.#stuck?.refresh();
  }

  /** `bytes` of batches wait for another turn, or no longer, if negative. */
  waiting(bytes: number): void {
    this.#waiting += bytes;
    this.#adjust();
  }

  /** Something was sent, or taken. */
  relieved(): void {
    if (!this.spent) this.onRelief();
  }

  end(): void {
    clearTimeout(this.#stuck);
    this.#stuck = undefined;
  }

  #hold(): void {
    if (this.#stuck) return;
    const { maxUnread, unreadTimeout } = this.session.limits;
    this.#stuck = setTimeout(() => {
      this.session.options.link.close(new ProtocolError(`${this.session.peer} has sent more than ${maxUnread} bytes of stream items, and nobody has taken any for ${unreadTimeout} ms`));
    }, unreadTimeout);
    this.#stuck.unref();
  }

  #release(): void {
    this.end();
    this.relieved();
  }

  /** The pipe is read up to a mark, and again from half of it on. */
  #adjust(): void {
    const { link } = this.session.options;
    const mark = this.session.limits.maxUnreadBatches;
    if (!this.#paused && this.#waiting > mark) {
      this.#paused = true;
      link.pause();
    } else if (this.#paused && this.#waiting <= mark / 2) {
      this.#paused = false;
      link.resume();
    }
  }
}
