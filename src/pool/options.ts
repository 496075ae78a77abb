// The options of a pool, checked and with their defaults. Those of the processes in it are the manager's.
import { availableParallelism } from 'node:os';
import { InvalidOptionError, UnsupportedOptionError } from '../errors.js';
import { refuseUnknown } from '../supervisor/options.js';
import { parseBytes, parseDuration, type Bytes, type Duration } from '../units.js';
import { FORMER_BREAKER_OPTIONS } from './former-names.js';
import { resolveStrategy, type Strategy, type StrategyFunction, type StrategyName } from './strategy.js';

export interface PoolOptions {
  /** Replicas: a number, `'auto'` (one a core, the default), or bounds between which the pool scales by load. */
  size?: number | 'auto' | { min: number; max: number };
  /** Default `'least-loaded'`; with `workload: 'cpu'` `'first-free'`. */
  strategy?: StrategyName | StrategyFunction;
  /** For `'weighted'`: the weight of each place, in order; places without one weigh 1. */
  weights?: readonly number[];
  /** Calls that one replica runs at once. Default 128 (`workload: 'cpu'`: always 1). */
  concurrency?: number;
  /** Calls that may wait for a free place; more are refused at once. Default 100,000. */
  maxQueue?: number;
  /** Longest wait for a free place. Default 30 s. */
  queueTimeout?: Duration;
  /** With bounds: how long the pool must be under-used before it gives up a replica. Default 30 s. */
  idleTimeout?: Duration;
  /** Replace a replica after so many calls, at that age, or above that memory, one at a time; the new one is up before the old one drains. */
  recycle?: { calls?: number; age?: Duration; memory?: Bytes };
  /** Replicas kept warm beside the pool, for the next crash, growth or reload. Default 0. */
  spares?: number;
  /** `'io'` (default): many calls a replica over our own links. `'cpu'`: one call a thread at a time, on Piscina. */
  workload?: 'io' | 'cpu';
  /** Refuses calls while the pool fails: after `threshold` failures in a row, for `timeout`, then tries `halfOpen` calls. */
  breaker?: { threshold?: number; timeout?: Duration; halfOpen?: number };
  /** Runs calls of idempotent methods again when they fail. */
  retry?: { attempts?: number; backoff?: Duration };
  /** Refuses a method for `window` when so many replicas died with calls of it within `window`. Default: none is refused. */
  poison?: { deaths?: number; window?: Duration };
}

export interface ResolvedPoolOptions {
  readonly min: number;
  readonly max: number;
  readonly strategy: Strategy;
  readonly weights: readonly number[];
  readonly concurrency: number;
  readonly maxQueue: number;
  readonly queueTimeout: number;
  readonly idleTimeout: number;
  readonly recycleCalls: number;
  readonly recycleAge: number;
  readonly recycleMemory: number;
  readonly spares: number;
  readonly breaker: { readonly threshold: number; readonly timeout: number; readonly halfOpen: number } | undefined;
  readonly retry: { readonly attempts: number; readonly backoff: number } | undefined;
  readonly poison: { readonly deaths: number; readonly window: number } | undefined;
}

export const POOL_OPTIONS: readonly string[] = ['size', 'strategy', 'weights', 'concurrency', 'maxQueue', 'queueTimeout', 'idleTimeout', 'recycle', 'spares', 'workload', 'breaker', 'retry', 'poison'];

/** @throws InvalidOptionError, UnknownOptionError, UnsupportedOptionError */
export function resolvePoolOptions(options: PoolOptions): ResolvedPoolOptions {
  const [min, max] = bounds(options.size ?? 'auto');
  const strategy = resolveStrategy(options.strategy ?? (options.workload === 'cpu' ? 'first-free' : 'least-loaded'));
  const { recycle = {}, breaker, retry, poison, weights = [], workload = 'io' } = options;
  if (workload !== 'io' && workload !== 'cpu') throw invalid('workload', workload, "'io' or 'cpu'");
  refuseUnknown(recycle, ['calls', 'age', 'memory'], 'recycle');
  if (breaker !== undefined) refuseUnknown(breaker, ['threshold', 'timeout', 'halfOpen'], 'breaker', FORMER_BREAKER_OPTIONS);
  if (retry !== undefined) refuseUnknown(retry, ['attempts', 'backoff'], 'retry');
  if (poison !== undefined) refuseUnknown(poison, ['deaths', 'window'], 'poison');
  if (options.weights && strategy.name !== 'weighted') throw new UnsupportedOptionError(`weights have no meaning for strategy '${strategy.name}'; use strategy 'weighted'`, { option: 'weights' });
  if (!weights.every((weight) => typeof weight === 'number' && weight > 0)) throw invalid('weights', weights, 'a list of numbers above 0');
  return {
    min,
    max,
    strategy,
    weights,
    concurrency: options.workload === 'cpu' ? 1 : count(options.concurrency ?? 128, 1, 'concurrency'),
    maxQueue: count(options.maxQueue ?? 100_000, 0, 'maxQueue'),
    queueTimeout: parseDuration(options.queueTimeout ?? 30_000, 'queueTimeout'),
    idleTimeout: parseDuration(options.idleTimeout ?? 30_000, 'idleTimeout'),
    recycleCalls: count(recycle.calls ?? Infinity, 1, 'recycle.calls'),
    recycleAge: recycle.age === undefined ? Infinity : parseDuration(recycle.age, 'recycle.age'),
    recycleMemory: recycle.memory === undefined ? Infinity : parseBytes(recycle.memory, 'recycle.memory'),
    spares: count(options.spares ?? 0, 0, 'spares'),
    breaker: breaker && {
      threshold: count(breaker.threshold ?? 5, 1, 'breaker.threshold'),
      timeout: parseDuration(breaker.timeout ?? 60_000, 'breaker.timeout'),
      halfOpen: count(breaker.halfOpen ?? 1, 1, 'breaker.halfOpen'),
    },
    retry: retry && { attempts: count(retry.attempts ?? 3, 1, 'retry.attempts'), backoff: parseDuration(retry.backoff ?? 100, 'retry.backoff') },
    poison: poison && { deaths: count(poison.deaths ?? 3, 1, 'poison.deaths'), window: parseDuration(poison.window ?? 60_000, 'poison.window') },
  };
}

function bounds(size: NonNullable<PoolOptions['size']>): [number, number] {
  if (size === 'auto') return [availableParallelism(), availableParallelism()];
  if (typeof size === 'number') return [count(size, 0, 'size'), size];
  if (typeof size !== 'object' || size === null) throw invalid('size', size, "a number, 'auto' or { min, max }");
  refuseUnknown(size, ['min', 'max'], 'size');
  const min = count(size.min, 0, 'size.min');
  return [min, count(size.max, Math.max(1, min), 'size.max')];
}

function count(value: number, least: number, option: string): number {
  if ((value === Infinity && !option.startsWith('size')) || (Number.isInteger(value) && value >= least)) return value;
  throw invalid(option, value, `a whole number of at least ${least}`);
}

const invalid = (option: string, value: unknown, expected: string): InvalidOptionError => new InvalidOptionError(`${option}: ${JSON.stringify(value) ?? String(value)} is not ${expected}`, { option });
