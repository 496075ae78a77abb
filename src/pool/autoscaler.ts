// Decides the size of a pool from its load. Pure and with a memory of two timestamps; whoever asks it acts.
// No flapping: it grows on waiting calls at once, and shrinks only after a whole idle period of under-use.

export interface Load {
  readonly now: number;
  /** Replicas, those that are starting among them. */
  readonly size: number;
  readonly starting: number;
  readonly active: number;
  readonly queued: number;
  /** How long the oldest call has waited, ms. */
  readonly oldestWait: number;
}

export interface ScalingBounds {
  readonly min: number;
  readonly max: number;
  readonly concurrency: number;
  readonly idleTimeout: number;
}

/** Waiting longer than this is a reason to grow, ms. */
const GROW_WAIT = 50;
/** One replica fewer must not be busier than this, or the pool would grow again. */
const SHRINK_BELOW = 0.5;

export class Autoscaler {
  #underusedSince: number | undefined;

  constructor(private readonly bounds: ScalingBounds) {}

  /** The size that the pool should have now. */
  decide({ now, size, starting, active, queued, oldestWait }: Load): number {
    const { min, max, concurrency, idleTimeout } = this.bounds;
    if (size < min) return min;
    if (queued > 0 && size < max && (size === 0 || oldestWait >= GROW_WAIT)) {
      this.#underusedSince = undefined;
      // What is starting already will take its share.
      const missing = Math.ceil(queued / concurrency) - starting;
      return missing > 0 ? Math.min(max, size + missing) : size;
    }
    const fewer = size - 1;
    const underused = queued === 0 && size > min && active <= (fewer === 0 ? 0 : fewer * concurrency * SHRINK_BELOW);
    if (!underused) {
      this.#underusedSince = undefined;
      return size;
    }
    this.#underusedSince ??= now;
    if (now - this.#underusedSince < idleTimeout) return size;
    // The next one has to prove its idleness anew.
    this.#underusedSince = now;
    return fewer;
  }
}
