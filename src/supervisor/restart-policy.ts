// Whether and when something that ended is started again: one pure decision, and a small object that keeps its history.
// A policy never acts; whoever asks it does.
import { closest, InvalidOptionError, UnknownOptionError } from '../errors.js';
import { parseDuration, type Duration } from '../units.js';
import { backoffDelay, jitter, type Backoff, type BackoffType, type Random } from './backoff.js';

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
  /** The circuit breaker: so many failed attempts in a row, of whatever kind, are the end (default 5). */
  maxFailures?: number;
}

export interface RestartPolicy {
  readonly type: RestartType;
  readonly maxRestarts: number;
  readonly window: number;
  readonly backoff: Backoff;
  readonly stableAfter: number;
  readonly maxFailures: number;
}

/** Why something is not started again. */
export type StopReason = 'completed' | 'not-restarted' | 'max-restarts' | 'circuit-open';
export type RestartDecision = { action: 'restart'; delay: number } | { action: 'stop'; reason: StopReason };

export interface RestartHistory {
  /** When the restarts within the window were decided. */
  readonly restarts: readonly number[];
  /** Failures in a row. */
  readonly failures: number;
  /** Since when it has been up; undefined while it is not. */
  readonly upSince: number | undefined;
}

export interface ExitEvent {
  now: number;
  /** It ended as it was meant to (a `transient` one stays down). */
  clean: boolean;
  /** It counts as a failed attempt, for backoff and breaker. Default: whenever it is not clean; `false` suits an end on request, such as recycling. */
  failed?: boolean | undefined;
  /** The error was an abort or a timeout: tried again soon (0.5 to 1.5 s), though it counts. */
  transient?: boolean | undefined;
}

export const DEFAULT_RESTART_POLICY: RestartPolicy = {
  type: 'permanent',
  maxRestarts: 5,
  window: 60_000,
  backoff: { type: 'exponential', initial: 200, max: 30_000, jitter: 0.25 },
  stableAfter: 10_000,
  maxFailures: 5,
};

const TRANSIENT_DELAY = 1000;
const TRANSIENT_JITTER = 0.5;

/** The decision. It changes nothing; `history` is what was known before `event`. */
export function decideRestart(policy: RestartPolicy, history: RestartHistory, event: ExitEvent, random: Random = Math.random): RestartDecision {
  if (policy.type === 'temporary' || (policy.type === 'transient' && event.clean)) {
    return { action: 'stop', reason: event.clean ? 'completed' : 'not-restarted' };
  }
  const failures = failuresAfter(policy, history, event);
  if (hasFailed(event) && failures >= policy.maxFailures) return { action: 'stop', reason: 'circuit-open' };
  if (restartsWithin(policy, history, event.now).length >= policy.maxRestarts) return { action: 'stop', reason: 'max-restarts' };
  if (event.transient) return { action: 'restart', delay: jitter(TRANSIENT_DELAY, TRANSIENT_JITTER, random) };
  return { action: 'restart', delay: backoffDelay(policy.backoff, Math.max(0, failures - 1), random) };
}

const hasFailed = (event: ExitEvent) => event.failed ?? !event.clean;

function failuresAfter(policy: RestartPolicy, history: RestartHistory, event: ExitEvent): number {
  const stable = history.upSince !== undefined && event.now - history.upSince >= policy.stableAfter;
  return (stable ? 0 : history.failures) + (hasFailed(event) ? 1 : 0);
}

const restartsWithin = (policy: RestartPolicy, history: RestartHistory, now: number) => history.restarts.filter((at) => now - at < policy.window);

/** The decision with its memory: one for each thing that may be restarted. */
export class RestartTracker {
  readonly policy: RestartPolicy;
  readonly #random: Random;
  #restarts: readonly number[] = [];
  #failures = 0;
  #upSince: number | undefined;

  constructor(options: RestartPolicyOptions | RestartPolicy = {}, random: Random = Math.random) {
    this.policy = isResolved(options) ? options : resolveRestartPolicy(options);
    this.#random = random;
  }

  /** Failed attempts in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** It came up. Later calls while it stays up change nothing. */
  onStart(now: number): void {
    this.#upSince ??= now;
  }

  /** It ended, or an attempt to bring it up failed. */
  onExit(event: ExitEvent): RestartDecision {
    const history = { restarts: this.#restarts, failures: this.#failures, upSince: this.#upSince };
    const decision = decideRestart(this.policy, history, event, this.#random);
    this.#failures = failuresAfter(this.policy, history, event);
    this.#upSince = undefined;
    // Without a limit nobody asks how many there were.
    if (decision.action === 'restart' && this.policy.maxRestarts !== Infinity) {
      this.#restarts = [...restartsWithin(this.policy, history, event.now), event.now];
    }
    return decision;
  }

  /** It has proved itself (a passed health check, say): earlier failures are forgiven without waiting for `stableAfter`. */
  onStable(): void {
    this.#failures = 0;
  }

  /** An explicit restart: everything is forgotten. */
  reset(): void {
    this.#restarts = [];
    this.#failures = 0;
    this.#upSince = undefined;
  }
}

const TYPES: readonly RestartType[] = ['permanent', 'transient', 'temporary'];
const OPTIONS = ['enabled', 'type', 'maxRestarts', 'window', 'backoff', 'stableAfter', 'maxFailures'];
const BACKOFF_OPTIONS = ['type', 'initial', 'max', 'jitter'];
const resolved = new WeakSet<object>([DEFAULT_RESTART_POLICY]);
const isResolved = (options: RestartPolicyOptions | RestartPolicy): options is RestartPolicy => resolved.has(options);

/** The policy that `options` (under the option name `at`) describe. @throws UnknownOptionError, InvalidOptionError */
export function resolveRestartPolicy(options: RestartPolicyOptions = {}, at = 'restartPolicy'): RestartPolicy {
  refuseUnknown(options, OPTIONS, at);
  const backoff = options.backoff ?? {};
  refuseUnknown(backoff, BACKOFF_OPTIONS, `${at}.backoff`);
  const base = DEFAULT_RESTART_POLICY;
  const type = options.enabled === false ? 'temporary' : (options.type ?? base.type);
  if (!TYPES.includes(type)) throw invalid(`${at}.type`, type, TYPES.join(', '));
  const backoffType = backoff.type ?? base.backoff.type;
  if (backoffType !== 'linear' && backoffType !== 'exponential') throw invalid(`${at}.backoff.type`, backoffType, 'linear, exponential');
  const initial = parseDuration(backoff.initial ?? base.backoff.initial, `${at}.backoff.initial`);
  const policy: RestartPolicy = {
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
  };
  resolved.add(policy);
  return policy;
}

/** @throws UnknownOptionError naming the first option that is not in `known`. */
export function refuseUnknown(options: object, known: readonly string[], at: string): void {
  for (const option of Object.keys(options)) {
    if (known.includes(option)) continue;
    const suggestion = closest(option, known);
    throw new UnknownOptionError(`${at}: unknown option '${option}'${suggestion ? `; did you mean '${suggestion}'?` : ''}`, { option: `${at}.${option}`, ...(suggestion && { suggestion }) });
  }
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
