// Replaces replicas that have served enough: by calls, age or memory. One at a time, so that replicas of the same age do not all
// start anew at once; the new one is up before the old one leaves.
import type { Pool } from './pool.js';
import type { Replica } from './replica.js';

export interface Recycling {
  ready(): readonly Replica[];
  /** True when the replica was replaced. */
  replace(replica: Replica, reason: string): Promise<boolean>;
  failed(slot: number, error: Error): void;
  /** A process may be started for this now. */
  maySpend(): boolean;
}

export class Recycler {
  #busy = false;

  constructor(
    private readonly pool: Pool,
    private readonly population: Recycling,
  ) {}

  /** A call was given to `replica`. */
  used(replica: Replica): void {
    if (replica.calls >= this.pool.options.recycleCalls && !this.#busy) queueMicrotask(() => void this.look());
  }

  async look(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (const replica of this.population.ready()) {
        if (!this.population.maySpend()) return;
        const why = await this.#whyDue(replica);
        if (why && !replica.retiring && this.population.maySpend()) await this.#recycle(replica, why);
      }
    } finally {
      this.#busy = false;
    }
    // Some may have become due meanwhile.
    for (const replica of this.population.ready()) this.used(replica);
  }

  async #whyDue(replica: Replica): Promise<'calls' | 'age' | 'memory' | undefined> {
    const { recycleCalls, recycleAge, recycleMemory } = this.pool.options;
    if (replica.calls >= recycleCalls) return 'calls';
    if (this.pool.clock.now() - replica.startedAt >= recycleAge) return 'age';
    if (recycleMemory === Infinity) return undefined;
    const metrics = await replica.member.metrics().catch(() => undefined);
    return metrics && metrics.memory > recycleMemory ? 'memory' : undefined;
  }

  async #recycle(replica: Replica, why: 'calls' | 'age' | 'memory'): Promise<void> {
    try {
      if (await this.population.replace(replica, `recycle: ${why}`)) this.pool.events.emit('replica-recycled', { id: replica.id, slot: replica.slot, why });
    } catch (error) {
      // The old one goes on; a later look tries again.
      this.population.failed(replica.slot, error as Error);
    }
  }
}
