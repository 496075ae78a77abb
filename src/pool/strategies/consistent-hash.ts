// The same key goes to the same replica. Rendezvous hashing: each replica has a score for the key, the highest wins, so
// that a replica which goes away moves only its own keys. Calls without a key go to the least loaded.
// (Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous", 1996.)
import type { CallToPlace, Candidate, Strategy } from '../strategy.js';
import { leastLoaded } from './least-loaded.js';

export function consistentHash(): Strategy {
  const fallback = leastLoaded();
  const home = <C extends Candidate>(candidates: readonly C[], { key }: CallToPlace): C | undefined => {
    if (key === undefined) return undefined;
    let best: C | undefined;
    let bestScore = -1;
    for (const candidate of candidates) {
      const score = hash(`${candidate.slot}:${key}`);
      if (score > bestScore) {
        best = candidate;
        bestScore = score;
      }
    }
    return best;
  };
  return {
    name: 'consistent-hash',
    home,
    pick(candidates, call) {
      if (call.key === undefined) return fallback.pick(candidates, call);
      const best = home(candidates, call);
      return best?.free ? best : undefined;
    },
  };
}

/** FNV-1a with the finalizer of MurmurHash3, 32 bits: nearby slots and keys must not have nearby scores. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
