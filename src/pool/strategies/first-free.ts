// The first that has room: few replicas, kept hot; the others only when there is work for them. What CPU pools do by default,
// since waking a thread that sleeps costs more than a short job.
import type { Candidate, Strategy } from '../strategy.js';

export function firstFree(): Strategy {
  return {
    name: 'first-free',
    pick<C extends Candidate>(candidates: readonly C[]): C | undefined {
      return candidates.find(({ free }) => free);
    },
  };
}
