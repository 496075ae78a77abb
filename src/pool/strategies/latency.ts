// Peak EWMA: the expected wait, latency times calls in flight. A slow answer counts at once, a fast one slowly.
// (Known from Finagle's load balancer: https://twitter.github.io/finagle/guide/Clients.html#p2c-peak-ewma)
import type { Strategy } from '../strategy.js';
import { lowest } from './least-loaded.js';

export function latency(): Strategy {
  return { name: 'latency', timed: true, pick: lowest((candidate) => (candidate.latency || 0.001) * (candidate.active + 1)) };
}

const DECAY_MS = 10_000;

/** Keeps the average of one replica. */
export class PeakEwma {
  value = 0;
  #at = 0;

  record(ms: number, now: number): void {
    if (ms >= this.value) this.value = ms;
    else {
      const keep = Math.exp(-(now - this.#at) / DECAY_MS);
      this.value = this.value * keep + ms * (1 - keep);
    }
    this.#at = now;
  }
}
