// When it pays to look at a line of traffic instead of letting its thread sleep: while what comes, comes close behind each other.
// Invariant: traffic that is too sparse to profit costs nothing.
import { now } from '../rpc/now.js';
import type { LatencyMode } from '../types.js';
import { expect, look, type Polled } from './poller.js';

export interface Patience {
  /** How long it is looked at after a batch left or arrived, ms. */
  readonly poll: number;
  /** Only while batches arrive closer to each other than this, ms. */
  readonly dense: number;
  /** Only when what is sent follows what arrived within this, ms. */
  readonly prompt: number;
}

/**
 * `normal`: no longer than it takes until both sides have been woken up (some 50 µs, half of it CPU), so that a look that succeeds
 * saves about what one that fails has cost. `low`: longer, and for thinner traffic; at 1,000 calls a second it would still be wasted.
 */
export const PATIENCE: Readonly<Record<LatencyMode, Patience>> = { normal: { poll: 0.05, dense: 0.2, prompt: 0.2 }, low: { poll: 0.1, dense: 0.5, prompt: 0.5 } };
/** Longer intervals count as this, ms. */
const LONG = 1;
/** After so many looks in a row that brought nothing, it tries again only now and then. */
const MISSES = 4;
const TRY_AGAIN_AFTER = 64;

export class Pacer implements Polled {
  until = 0;
  readonly #patience: Patience;
  #closed = false;
  #arrived = 0;
  /** Between arrivals, a moving average: two that come together and then none for long are not dense. */
  #interval = LONG;
  #dense = false;
  #polling = false;
  #misses = 0;
  #rested = 0;

  constructor(
    patience: Patience,
    readonly poll: (() => boolean) | undefined,
  ) {
    this.#patience = patience;
  }

  /** Something came: call it before it is handled, and `handled` afterwards. */
  arrived(): void {
    const at = now();
    this.#interval += (Math.min(at - this.#arrived, LONG) - this.#interval) / 4;
    this.#dense = this.#interval < this.#patience.dense;
    this.#arrived = at;
    if (this.#polling) this.#misses = 0;
  }

  /** It has been handled. */
  handled(): void {
    if (this.#dense) this.#keep(this.#arrived);
  }

  /** Something was sent, and an answer is expected. */
  sent(): void {
    if (!this.#dense) return;
    const at = now();
    if (at - this.#arrived < this.#patience.prompt && this.#keep(at)) expect();
  }

  close(): void {
    this.#closed = true;
    this.until = 0;
  }

  gaveUp(): void {
    this.#polling = false;
    this.#misses++;
  }

  /** Polls from now on, or longer; false: not worth it. */
  #keep(at: number): boolean {
    if (this.#closed) return false;
    if (!this.#polling) {
      if (this.#misses >= MISSES && ++this.#rested % TRY_AGAIN_AFTER !== 0) return false;
      this.#polling = true;
    }
    this.until = at + this.#patience.poll;
    look(this);
    return true;
  }
}
