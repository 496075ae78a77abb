// How much of the machine each replica uses: rates between two readings of what it has used in all.
import { mostCpu } from '../runtime/rates.js';
import type { Usage } from './orchestrator.js';
import type { ComponentUnit } from './unit.js';

/** Two readings closer than this say little, ms. */
const SHORTEST = 1_000;
/** A timer may be so much early, ms. */
const EARLY = 50;
/** An older reading tells of the past, ms. */
const LONGEST = 10_000;

export interface Used {
  /** Percent of one core. */
  readonly cpu: number;
  /** Bytes. */
  readonly memory: number;
}

interface Reading extends Usage {
  readonly at: number;
  /** Of which life. */
  readonly life: number | undefined;
}

export class UsageMeter {
  readonly #readings = new Map<string, Reading>();
  readonly #used = new Map<string, Used>();

  last(id: string): Used | undefined {
    return this.#used.get(id);
  }

  /** Takes a reading of each; of those that have none to compare it with, a second one a moment later. */
  async read(units: readonly ComponentUnit[]): Promise<void> {
    const again = (await Promise.all(units.map((unit) => this.#readOne(unit)))).includes(false);
    for (const id of this.#readings.keys()) if (!units.some((unit) => unit.id === id)) this.#forget(id);
    if (!again) return;
    await new Promise((resolve) => setTimeout(resolve, SHORTEST));
    await Promise.all(units.map((unit) => this.#readOne(unit)));
  }

  /** False when there is nothing yet to compare it with. */
  async #readOne({ id, running, startedAt }: ComponentUnit): Promise<boolean> {
    const usage = await running?.usage().catch(() => undefined);
    if (!usage) {
      this.#forget(id);
      return true;
    }
    const now: Reading = { ...usage, at: performance.now(), life: startedAt };
    const before = this.#readings.get(id);
    const comparable = before !== undefined && before.life === now.life && now.at - before.at <= LONGEST;
    // Asked twice at the same time: the first answer holds.
    if (comparable && now.at - before.at < SHORTEST - EARLY) return this.#used.has(id);
    this.#readings.set(id, now);
    if (!comparable) return false;
    this.#used.set(id, { cpu: Math.min(mostCpu(), Math.max(0, (100 * (now.cpu - before.cpu)) / (now.at - before.at))), memory: now.memory });
    return true;
  }

  #forget(id: string): void {
    this.#readings.delete(id);
    this.#used.delete(id);
  }
}
