// A circuit breaker: after enough failures in a row calls are refused for a while, then a few may try.
// (Cockatiel's lets one call try at a time and takes a wrapper around each call; here the number is an option.)
import { CircuitOpenError } from '../errors.js';

export type BreakerState = 'closed' | 'open' | 'half-open';

export interface BreakerOptions {
  readonly threshold: number;
  readonly timeout: number;
  readonly halfOpen: number;
}

export class Breaker {
  #state: BreakerState = 'closed';
  #failures = 0;
  #openUntil = 0;
  /** Calls that try now, and those of them that went well. */
  #trials = 0;
  #successes = 0;

  constructor(
    private readonly name: string,
    private readonly options: BreakerOptions,
    private readonly now: () => number,
    private readonly onChange: (state: BreakerState) => void,
  ) {}

  get state(): BreakerState {
    return this.#state;
  }

  /** Lets a call through. @throws CircuitOpenError with `retryAfter` in ms */
  enter(): void {
    if (this.#state === 'open') {
      const left = this.#openUntil - this.now();
      if (left > 0) throw this.#refusal(left);
      this.#trials = 0;
      this.#successes = 0;
      this.#change('half-open');
    }
    if (this.#state !== 'half-open') return;
    if (this.#trials >= this.options.halfOpen) throw this.#refusal(1);
    this.#trials++;
  }

  /** How a call that was let through ended; undefined: neither well nor ill (it was cancelled). */
  leave(ok: boolean | undefined): void {
    const trying = this.#state === 'half-open';
    if (ok === undefined) {
      // Its place goes to another call.
      if (trying) this.#trials = Math.max(0, this.#trials - 1);
    } else if (ok) {
      this.#failures = 0;
      if (trying && ++this.#successes >= this.options.halfOpen) this.#change('closed');
    } else {
      this.#failures++;
      if (trying || (this.#state === 'closed' && this.#failures >= this.options.threshold)) {
        this.#openUntil = this.now() + this.options.timeout;
        this.#change('open');
      }
    }
  }

  #refusal(retryAfter: number): CircuitOpenError {
    return new CircuitOpenError(`${this.name}: the circuit is open after ${this.#failures} failures in a row; try again in ${Math.ceil(retryAfter)} ms`, { pool: this.name, retryAfter: Math.ceil(retryAfter) });
  }

  #change(state: BreakerState): void {
    this.#state = state;
    if (state === 'closed') this.#failures = 0;
    this.onChange(state);
  }
}
