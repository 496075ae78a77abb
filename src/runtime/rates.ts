// From readings of what is used in all to rates. Invariant: none is taken over a time too short for the clocks behind it (ticks of up to
// 10 ms), and none says more than a thread or machine can do, whatever those clocks make of it.
import { availableParallelism } from 'node:os';
import type { Usage } from './protocol.js';

/** The shortest time that rates are taken over, ms; and while it lives for less than that, the shortest since its start. */
const SHORTEST = 1_000;
const SHORTEST_LIFE = 250;
/** Readings closer than this are not kept. */
const SPACING = 100;

export interface Rates {
  /** Percent of one core. */
  readonly cpu: number;
  /** Share of time that the loop was busy. */
  readonly loop: number;
  /** ms that they are taken over; 0: it does not live long enough to tell. */
  readonly window: number;
}

export const UNKNOWN: Rates = { cpu: 0, loop: 0, window: 0 };

/** Percent of a core that all of this machine can do together. */
export const mostCpu = (): number => availableParallelism() * 100;

export class RateMeter {
  /** Oldest first; all but the first are younger than SHORTEST. */
  readonly #readings: Usage[] = [];
  #last: Usage | undefined;
  #rates = UNKNOWN;

  /** `most`: percent of a core that it can use. */
  constructor(private readonly most: number) {}

  get last(): Usage | undefined {
    return this.#last;
  }

  get rates(): Rates {
    return this.#rates;
  }

  add(now: Usage): void {
    if (this.#last && now.at <= this.#last.at) return;
    this.#last = now;
    const readings = this.#readings;
    // The newest that is old enough, or the first of all.
    while (readings.length > 1 && now.at - readings[1]!.at >= SHORTEST) readings.shift();
    const base = readings[0];
    if (base && now.at - base.at >= SHORTEST_LIFE) this.#rates = ratesBetween(base, now, this.most);
    if (readings.length === 0 || now.at - readings.at(-1)!.at >= SPACING) readings.push(now);
  }
}

/** What two readings say about the time between them. */
function ratesBetween(before: Usage, now: Usage, most: number): Rates {
  const window = now.at - before.at;
  const active = now.loopActive - before.loopActive;
  const total = active + now.loopIdle - before.loopIdle;
  // Microseconds of CPU per millisecond of time, as percent.
  const cpu = ((now.cpu - before.cpu) / window) * 0.1;
  return { cpu: clamp(cpu, most), loop: total > 0 ? clamp(active / total, 1) : 0, window };
}

const clamp = (value: number, most: number): number => Math.min(most, Math.max(0, value));
