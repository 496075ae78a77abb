// What a group can be told and what it tells. The budget of restarts is a restart policy without a breaker:
// the intensity alone decides when it is enough.
import { InvalidOptionError, type RestartsExhaustedError } from '../errors.js';
import { parseDuration, type Duration } from '../units.js';
import { systemClock, type Clock } from './clock.js';
import { warnAbout, type ErrorSink } from './emitter.js';
import { refuseUnknown } from './options.js';
import { resolveRestartPolicy, type RestartPolicy, type RestartPolicyOptions } from './restart-options.js';

/** Who is restarted with a child that died: nobody, everybody, or those that were started after it. */
export type GroupStrategy = 'one-for-one' | 'one-for-all' | 'rest-for-one';
export type GroupState = 'stopped' | 'starting' | 'running' | 'stopping' | 'failed';

export interface GroupOptions {
  name?: string;
  /** Default `one-for-one`. */
  strategy?: GroupStrategy;
  /** At most so many restarts (default 3; 0: the first death escalates) … */
  intensity?: number;
  /** … within this time (default 60 s). */
  period?: Duration;
  /** How long to wait before a restart (default: not at all). */
  backoff?: RestartPolicyOptions['backoff'];
  clock?: Clock;
  /** Hears what listeners throw (default: a process warning). */
  onError?: ErrorSink;
}

export interface GroupEvents {
  'child-started': { name: string };
  'child-stopped': { name: string };
  'child-exit': { name: string; clean: boolean; error: Error | undefined };
  'child-restart': { name: string; restarts: number; delay: number };
  /**
   * It stays down: ended and not to be restarted, or given up. `restart(name)` brings it back. With `retryAfter` (ms) it is tried
   * again by itself, when the budget allows a restart.
   */
  'child-ended': { name: string; state: 'ended' | 'failed'; error: Error | undefined; retryAfter?: number };
  /** A start or stop function threw. */
  'child-failed': { name: string; during: 'start' | 'stop'; error: Error };
  /** The budget is used up: the group has stopped all its children. */
  escalate: { name: string; error: RestartsExhaustedError };
}

const STRATEGIES: readonly GroupStrategy[] = ['one-for-one', 'one-for-all', 'rest-for-one'];
const OPTIONS = ['name', 'strategy', 'intensity', 'period', 'backoff', 'clock', 'onError'];

/** @throws UnknownOptionError, InvalidOptionError */
export function resolveGroupOptions(options: GroupOptions): { name: string; strategy: GroupStrategy; clock: Clock; onError: ErrorSink; budget: RestartPolicy } {
  refuseUnknown(options, OPTIONS, 'Group');
  const { name = 'group', strategy = 'one-for-one', clock = systemClock, onError = warnAbout, intensity = 3, backoff = { initial: 0, max: 0 } } = options;
  if (!STRATEGIES.includes(strategy)) throw new InvalidOptionError(`strategy: ${JSON.stringify(strategy)} is not one of ${STRATEGIES.join(', ')}`, { option: 'strategy' });
  if (intensity !== Infinity && !(Number.isInteger(intensity) && intensity >= 0)) {
    throw new InvalidOptionError(`intensity: ${JSON.stringify(intensity)} is not a whole number of at least 0`, { option: 'intensity' });
  }
  const period = parseDuration(options.period ?? 60_000, 'period');
  const budget = { ...resolveRestartPolicy({ backoff, maxRestarts: intensity }, name), window: period, stableAfter: period, maxFailures: Infinity };
  return { name, strategy, clock, onError, budget };
}
