// How a pool chooses. One small interface; a strategy is a file beside this one, or a user's own function.
// Invariant: the load is what is in flight at the moment of choice, and equal candidates take turns.
import { closest, InvalidOptionError } from '../errors.js';
import { FORMER_STRATEGIES } from './former-names.js';
import { consistentHash } from './strategies/consistent-hash.js';
import { firstFree } from './strategies/first-free.js';
import { latency } from './strategies/latency.js';
import { leastLoaded } from './strategies/least-loaded.js';
import { powerOfTwo } from './strategies/power-of-two.js';
import { random } from './strategies/random.js';
import { roundRobin } from './strategies/round-robin.js';
import { weighted } from './strategies/weighted.js';

/** A replica as a strategy sees it. */
export interface Candidate {
  readonly id: string;
  /** The place in the pool, from 0; a replacement takes the place of the one it replaces. */
  readonly slot: number;
  /** Calls in flight. */
  readonly active: number;
  /** Room for another call. Only a free candidate may be chosen. */
  readonly free: boolean;
  readonly weight: number;
  /** Peak EWMA of the latency, ms; 0 before the first answer. */
  readonly latency: number;
  /** Calls it has been given so far. */
  readonly calls: number;
}

export interface CallToPlace {
  readonly method: string;
  readonly args: readonly unknown[];
  /** From `$with({ key })`. */
  readonly key: string | undefined;
}

/** Chooses a free candidate; undefined lets the call wait until something changes. */
export type StrategyFunction = <C extends Candidate>(candidates: readonly C[], call: CallToPlace) => C | undefined;

export interface Strategy {
  readonly name: string;
  readonly pick: StrategyFunction;
  /** The candidate that a call must go to although it is not free: the call waits for that one. */
  home?<C extends Candidate>(candidates: readonly C[], call: CallToPlace): C | undefined;
  /** It needs the latency of each call. */
  readonly timed?: boolean;
  /** A user's own function: what it chooses is checked, and it may refuse one call and take another. */
  readonly custom?: boolean;
}

const STRATEGIES = {
  'round-robin': roundRobin,
  'least-loaded': leastLoaded,
  'power-of-two': powerOfTwo,
  latency,
  weighted,
  random,
  'consistent-hash': consistentHash,
  'first-free': firstFree,
} as const;

export type StrategyName = keyof typeof STRATEGIES;

/** @throws InvalidOptionError for a name that is none. */
export function resolveStrategy(strategy: StrategyName | StrategyFunction): Strategy {
  if (typeof strategy === 'function') return { name: strategy.name || 'custom', pick: strategy, custom: true };
  const make = Object.hasOwn(STRATEGIES, strategy) ? STRATEGIES[strategy] : undefined;
  if (!make) throw new InvalidOptionError(`strategy: ${JSON.stringify(strategy)} is not one of ${Object.keys(STRATEGIES).join(', ')}, and no function${hintFor(strategy)}`, { option: 'strategy' });
  return make();
}

function hintFor(strategy: unknown): string {
  if (typeof strategy !== 'string') return '';
  const instead = Object.hasOwn(FORMER_STRATEGIES, strategy) ? FORMER_STRATEGIES[strategy] : undefined;
  const near = instead === undefined ? closest(strategy, Object.keys(STRATEGIES)) : undefined;
  return instead ? `; ${instead}` : near ? `; did you mean '${near}'?` : '';
}
