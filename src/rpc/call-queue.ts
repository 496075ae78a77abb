// Calls that wait, first come first served. Those that settled meanwhile cost nothing: they are skipped, and swept out
// when they are the most.
import type { Call } from './call.js';

const SWEEP_FROM = 1024;

export class CallQueue {
  #calls: Call[] = [];
  #head = 0;

  push(call: Call): void {
    this.#calls.push(call);
    if (this.#calls.length >= this.#sweepAt) this.#sweep();
  }

  /** The first that still waits. */
  peek(): Call | undefined {
    for (; this.#head < this.#calls.length; this.#head++) {
      const call = this.#calls[this.#head]!;
      if (!call.done) return call;
    }
    this.#calls = [];
    this.#head = 0;
    return undefined;
  }

  /** Takes out what `peek` showed. */
  shift(): void {
    this.#calls[this.#head++] = undefined as never;
  }

  get empty(): boolean {
    return this.#calls.length === 0 || this.peek() === undefined;
  }

  takeAll(): Call[] {
    const calls = this.#calls.slice(this.#head).filter(({ done }) => !done);
    this.#calls = [];
    this.#head = 0;
    return calls;
  }

  #sweepAt = SWEEP_FROM;

  #sweep(): void {
    this.#calls = this.takeAll();
    this.#sweepAt = Math.max(SWEEP_FROM, this.#calls.length * 2);
  }
}
