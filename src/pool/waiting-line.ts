// One line of calls that wait, in the order of arrival. Calls with the pool's own `queueTimeout` are due in that order as well, so that the
// line needs one deadline for all of them: it is set for the first, and looks again when it comes. A call that is placed costs nothing.
import { addDeadline, removeDeadline, type Due } from '../rpc/deadlines.js';
import type { WaitingCall } from './waiting-call.js';

/** Entries that left are swept out when there are more of them than this, and than of the others. */
const SWEEP = 64;
const SHIFT = 1_024;

export class WaitingLine implements Due {
  /** Milliseconds of `performance.now()`. */
  dueAt = 0;
  place = -1;
  done = true;
  #calls: WaitingCall[] = [];
  #head = 0;
  /** Entries that left before their turn. */
  #gone = 0;

  push(call: WaitingCall): void {
    this.#calls.push(call);
    if (this.done && !call.alone && call.dueAt !== Infinity) this.#watch(call.dueAt);
  }

  /** The one whose turn it is. */
  first(): WaitingCall | undefined {
    const calls = this.#calls;
    for (; this.#head < calls.length; this.#head++) {
      const call = calls[this.#head]!;
      if (!call.done) return call;
    }
    this.#calls = [];
    this.#head = 0;
    this.#gone = 0;
    // Nobody is waited for: a program that has nothing else to do ends.
    this.end();
    return undefined;
  }

  /** The first has found a place. */
  shift(): void {
    // Its arguments may be large, and the line may stand still from now on.
    this.#calls[this.#head++] = undefined as never;
    if (this.#head > SHIFT && this.#head * 2 > this.#calls.length) this.#sweep();
  }

  /** A call left before its turn. */
  left(): void {
    if (++this.#gone > SWEEP && this.#gone * 2 > this.#calls.length - this.#head) this.#sweep();
    this.first();
  }

  all(): WaitingCall[] {
    return this.#calls.slice(this.#head).filter(({ done }) => !done);
  }

  #sweep(): void {
    this.#calls = this.all();
    this.#head = 0;
    this.#gone = 0;
  }

  /** It is taken apart. */
  end(): void {
    if (!this.done) removeDeadline(this);
    this.done = true;
  }

  expire(): void {
    this.done = true;
    const now = performance.now();
    // A sweep, or the end of the line, meanwhile makes another list.
    const calls = this.#calls;
    for (let at = this.#head; at < calls.length; at++) {
      const call = calls[at]!;
      if (call.done || call.alone || call.dueAt === Infinity) continue;
      if (call.dueAt > now) {
        this.#watch(call.dueAt);
        return;
      }
      call.expire();
    }
  }

  #watch(dueAt: number): void {
    this.done = false;
    this.dueAt = dueAt;
    addDeadline(this);
  }
}
