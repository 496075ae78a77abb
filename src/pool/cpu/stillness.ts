// How a thread of a CPU pool waits for its next task. Piscina's fast wait stops the event loop of the thread; so it is used only
// between calls that follow each other closely, and the loop gets its turns meanwhile. A thread left alone is told to rest: that
// is a task which lasts until its next call, and with a task under way Piscina leaves the loop free.

/** Under load the loop turns at least this often, ms. */
const TURN_MS = 5;

export class Stillness {
  #wake: (() => void) | undefined;
  #turnedAt = performance.now();
  /** When the last call was answered: the loop has stood still since then; 0: it turns. */
  #since = 0;
  #total = 0;

  /** Milliseconds that the loop has stood still so far: it was idle then, whatever it says itself. */
  get total(): number {
    return this.#total;
  }

  /** Lets the loop turn until the next call. */
  rest(): Promise<void> {
    this.ends();
    return new Promise((resolve) => {
      const before = this.#wake;
      this.#wake = () => {
        before?.();
        resolve();
      };
    });
  }

  /** A task has come. */
  ends(): void {
    if (this.#since > 0) this.#total += performance.now() - this.#since;
    this.#since = 0;
  }

  /** A call has come: it was the first after a rest if there was one. */
  called(): void {
    this.ends();
    const wake = this.#wake;
    if (!wake) return;
    this.#wake = undefined;
    this.#turnedAt = performance.now();
    wake();
  }

  /** A call that needed no loop has its answer: that goes at once, or behind a turn of the loop when one is due. */
  answer<T>(reply: T): T | Promise<T> {
    const now = performance.now();
    if (now - this.#turnedAt < TURN_MS) {
      this.#since = now;
      return reply;
    }
    return new Promise((resolve) => {
      setImmediate(() => {
        this.turned();
        resolve(reply);
      });
    });
  }

  /** A call that used the loop has its answer. */
  turned(): void {
    this.#since = this.#turnedAt = performance.now();
  }
}
