// What a user writes for a restart policy, and what the engine works with: checked once, numbers only.
// An option that is unknown or makes no sense is refused by its full name.
import { InvalidOptionError } from '../errors.js';
import { parseDuration, type Duration } from '../units.js';
import type { Backoff, BackoffType } from './backoff.js';
import { refuseUnknown } from './options.js';

/** `permanent`: always started again; `transient`: unless it ended cleanly; `temporary`: never. */
export type RestartType = 'permanent' | 'transient' | 'temporary';

export interface RestartPolicyOptions {
  /** `false` is the same as `type: 'temporary'`. */
  enabled?: boolean;
  type?: RestartType;
  /** At most so many restarts … (default 5) */
  maxRestarts?: number;
  /** … within this time (default 60 s). */
  window?: Duration;
  backoff?: { type?: BackoffType; initial?: Duration; max?: Duration; jitter?: number };
  /** Up for this long forgives earlier failures (default 10 s). */
  stableAfter?: Duration;
  /** The circuit breaker: so many starts in a row that fail are the end (default 5). The death of one that came up is no failed start. */
  maxFailures?: number;
}

export interface RestartPolicy {
  readonly type: RestartType;
  readonly maxRestarts: number;
  readonly window: number;
  readonly backoff: Backoff;
  readonly stableAfter: number;
  readonly maxFailures: number;
  /** What a limit means: false: it is given up. True: it rests, longer each time, and is tried again, for ever. */
  readonly heals: boolean;
}

export const DEFAULT_RESTART_POLICY: RestartPolicy = {
  type: 'permanent',
  maxRestarts: 5,
  window: 60_000,
  backoff: { type: 'exponential', initial: 200, max: 30_000, jitter: 0.25 },
  stableAfter: 10_000,
  maxFailures: 5,
  heals: false,
};

const TYPES: readonly RestartType[] = ['permanent', 'transient', 'temporary'];
const OPTIONS = ['enabled', 'type', 'maxRestarts', 'window', 'backoff', 'stableAfter', 'maxFailures'];
const BACKOFF_OPTIONS = ['type', 'initial', 'max', 'jitter'];

/** The policy that `options` (under the option name `at`) describe. @throws UnknownOptionError, InvalidOptionError */
export function resolveRestartPolicy(options: RestartPolicyOptions = {}, at = 'restartPolicy'): RestartPolicy {
  refuseUnknown(options, OPTIONS, at);
  const backoff = options.backoff ?? {};
  refuseUnknown(backoff, BACKOFF_OPTIONS, `${at}.backoff`);
  const base = DEFAULT_RESTART_POLICY;
  if (options.enabled !== undefined && typeof options.enabled !== 'boolean') throw invalid(`${at}.enabled`, options.enabled, 'true, false');
  const type = options.enabled === false ? 'temporary' : (options.type ?? base.type);
  if (!TYPES.includes(type)) throw invalid(`${at}.type`, type, TYPES.join(', '));
  const backoffType = backoff.type ?? base.backoff.type;
  if (backoffType !== 'linear' && backoffType !== 'exponential') throw invalid(`${at}.backoff.type`, backoffType, 'linear, exponential');
  const initial = parseDuration(backoff.initial ?? base.backoff.initial, `${at}.backoff.initial`);
  return {
    type,
    maxRestarts: count(options.maxRestarts ?? base.maxRestarts, 0, `${at}.maxRestarts`),
    window: parseDuration(options.window ?? base.window, `${at}.window`),
    backoff: {
      type: backoffType,
      initial,
      max: parseDuration(backoff.max ?? Math.max(initial, base.backoff.max), `${at}.backoff.max`),
      jitter: fraction(backoff.jitter ?? base.backoff.jitter, `${at}.backoff.jitter`),
    },
    stableAfter: parseDuration(options.stableAfter ?? base.stableAfter, `${at}.stableAfter`),
    maxFailures: count(options.maxFailures ?? base.maxFailures, 1, `${at}.maxFailures`),
    heals: false,
  };
}

const invalid = (option: string, value: unknown, expected: string) =>
  new InvalidOptionError(`${option}: ${JSON.stringify(value)} is not one of ${expected}`, { option });

function count(value: number, least: number, option: string): number {
  if (value === Infinity || (Number.isInteger(value) && value >= least)) return value;
  throw new InvalidOptionError(`${option}: ${JSON.stringify(value)} is not a whole number of at least ${least}`, { option });
}

function fraction(value: number, option: string): number {
  if (value >= 0 && value <= 1) return value;
  throw new InvalidOptionError(`${option}: ${JSON.stringify(value)} is not between 0 and 1`, { option });
}
