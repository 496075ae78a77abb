// Any one that has room.
import type { Candidate, Strategy } from '../strategy.js';

export function random(): Strategy {
  return {
    name: 'random',
    pick<C extends Candidate>(candidates: readonly C[]): C | undefined {
      const free = candidates.filter((candidate) => candidate.free);
      return free[Math.floor(Math.random() * free.length)];
    },
  };
}
