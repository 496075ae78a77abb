// Smooth weighted round-robin: in proportion to the weights, without bursts to the heaviest.
// Each turn everyone gains its weight, the richest is chosen and pays the sum (the scheme of nginx's upstream module).
import type { Candidate, Strategy } from '../strategy.js';

export function weighted(): Strategy {
  const credit = new Map<number, number>();
  return {
    name: 'weighted',
    pick<C extends Candidate>(candidates: readonly C[]): C | undefined {
      let best: C | undefined;
      let total = 0;
      for (const candidate of candidates) {
        if (!candidate.free) continue;
        total += candidate.weight;
        const own = (credit.get(candidate.slot) ?? 0) + candidate.weight;
        credit.set(candidate.slot, own);
        if (!best || own > credit.get(best.slot)!) best = candidate;
      }
      if (best) credit.set(best.slot, credit.get(best.slot)! - total);
      return best;
    },
  };
}
