// How long a pool waits before it starts another process by itself, after starts that failed: longer with each.
const FIRST_MS = 1_000;
const LONGEST_MS = 60_000;

export class Hesitation {
  #failed = 0;
  #until = 0;

  constructor(private readonly now: () => number) {}

  get over(): boolean {
    return this.now() >= this.#until;
  }

  /** A start has failed; answers how long to wait, ms. */
  failed(): number {
    const delay = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#failed++);
    this.#until = this.now() + delay;
    return delay;
  }

  /** A start went well. */
  forgive(): void {
    this.#failed = 0;
  }
}
