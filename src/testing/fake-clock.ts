// A clock that stands still until a test moves it. Timers fire in order of time, and whatever a timer sets off
// (promises included) has happened before the next one fires.
import { Heap } from '../heap.js';
import type { Clock, Timer } from '../supervisor/clock.js';

interface FakeTimer { at: number; order: number; callback: () => void; place: number }

export class FakeClock implements Clock {
  #now: number;
  #order = 0;
  readonly #timers = new Heap<FakeTimer>((a, b) => a.at - b.at || a.order - b.order);

  constructor(start = 0) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  setTimeout(callback: () => void, ms: number): Timer {
    const timer: FakeTimer = { at: this.#now + Math.max(0, ms), order: this.#order++, callback, place: -1 };
    this.#timers.push(timer);
    return timer;
  }

  clearTimeout(timer: Timer): void {
    this.#timers.remove(timer as FakeTimer);
  }

  /** How many timers are armed. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Lets all promises that can settle without time passing do so. */
  flush(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** Moves on by `ms`, firing what becomes due on the way. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.flush();
    for (let next = this.#timers.peek(); next !== undefined && next.at <= end; next = this.#timers.peek()) {
      this.#timers.pop();
      this.#now = Math.max(this.#now, next.at);
      next.callback();
      await this.flush();
    }
    this.#now = end;
  }

  /** Resolves after `ms` of this clock; rejects with the signal's reason when that aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const onAbort = () => {
        this.clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      const timer = this.setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}
