// When a pool looks at its load and at the age and memory of its replicas: now and then, more often while calls wait, and
// never when none of its options asks for it. Its timer keeps no program alive.
import type { Timer } from '../supervisor/clock.js';
import type { Pool } from './pool.js';

const TICK_MS = 1_000;
/** While calls wait. */
const BUSY_TICK_MS = 50;

export class Look {
  #timer: Timer | undefined;
  #at = Infinity;
  #ended = false;

  constructor(
    private readonly pool: Pool,
    private readonly look: () => void,
  ) {}

  /** Calls wait, or the pool has started. */
  soon(): void {
    const { min, max, recycleAge, recycleMemory } = this.pool.options;
    if (this.#ended || (min === max && recycleAge === Infinity && recycleMemory === Infinity)) return;
    const { clock } = this.pool;
    const delay = this.pool.pending > 0 ? BUSY_TICK_MS : TICK_MS;
    const at = clock.now() + delay;
    if (this.#at <= at) return;
    if (this.#timer) clock.clearTimeout(this.#timer);
    this.#at = at;
    this.#timer = clock.setTimeout(() => {
      this.#timer = undefined;
      this.#at = Infinity;
      this.look();
      this.soon();
    }, delay, { unref: true });
  }

  end(): void {
    this.#ended = true;
    if (this.#timer) this.pool.clock.clearTimeout(this.#timer);
  }
}
