// Two at random, the less loaded of them: nearly as even as looking at all, at a constant cost.
// (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001.)
import type { Candidate, Strategy } from '../strategy.js';

export function powerOfTwo(): Strategy {
  return {
    name: 'power-of-two',
    pick<C extends Candidate>(candidates: readonly C[]): C | undefined {
      const free = candidates.filter((candidate) => candidate.free);
      if (free.length < 2) return free[0];
      const first = Math.floor(Math.random() * free.length);
      const second = (first + 1 + Math.floor(Math.random() * (free.length - 1))) % free.length;
      return free[second]!.active < free[first]!.active ? free[second] : free[first];
    },
  };
}
