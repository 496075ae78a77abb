// Everyone in turn; one that has no room is passed over.
import type { Candidate, Strategy } from '../strategy.js';

export function roundRobin(): Strategy {
  let next = 0;
  return {
    name: 'round-robin',
    pick<C extends Candidate>(candidates: readonly C[]): C | undefined {
      for (let i = 0; i < candidates.length; i++) {
        const candidate = candidates[(next + i) % candidates.length]!;
        if (!candidate.free) continue;
        next = (next + i + 1) % candidates.length;
        return candidate;
      }
      return undefined;
    },
  };
}
