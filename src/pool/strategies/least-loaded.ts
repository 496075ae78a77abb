// The one with the fewest calls in flight; equals take turns.
import type { Candidate, Strategy } from '../strategy.js';

export function leastLoaded(): Strategy {
  return { name: 'least-loaded', pick: lowest(({ active }) => active) };
}

/** Picks the free candidate with the lowest cost, beginning each search behind the last choice so that ties rotate. */
export function lowest(cost: (candidate: Candidate) => number) {
  let start = 0;
  return <C extends Candidate>(candidates: readonly C[]): C | undefined => {
    const { length } = candidates;
    let best: C | undefined;
    let bestCost = Infinity;
    let bestAt = 0;
    for (let i = 0; i < length; i++) {
      const at = (start + i) % length;
      const candidate = candidates[at]!;
      if (!candidate.free) continue;
      const own = cost(candidate);
      if (own < bestCost) {
        best = candidate;
        bestCost = own;
        bestAt = at;
      }
    }
    if (best) start = (bestAt + 1) % length;
    return best;
  };
}
