// Whether and when something that ended is started again: one pure decision, and a small object that keeps its history.
// A policy never acts; whoever asks it does.
import { backoffDelay, jitter, type Random } from './backoff.js';
import type { RestartPolicy } from './restart-options.js';

/** Why something is not started again. */
export type StopReason = 'completed' | 'not-restarted' | 'max-restarts' | 'circuit-open';
/** A limit of a policy, by the name of its option. */
export type RestartLimit = 'maxRestarts' | 'maxFailures';
/** `limit`: it is met, and something that heals rests for `delay` before it is tried again. */
export type RestartDecision = { action: 'restart'; delay: number; limit?: RestartLimit } | { action: 'stop'; reason: StopReason };

export interface RestartHistory {
  /** When the restarts within the window were decided. */
  readonly restarts: readonly number[];
  /** Failures in a row, for backoff. */
  readonly failures: number;
  /** Starts in a row that failed, for the breaker. Default: the failures of something that is not up. */
  readonly failedStarts?: number;
  /** Since when it has been up; undefined while it is not. */
  readonly upSince: number | undefined;
}

export interface ExitEvent {
  now: number;
  /** It ended as it was meant to (a `transient` one stays down). */
  clean: boolean;
  /** It counts as a failure. Default: whenever it is not clean; `false` suits an end on request, such as recycling. */
  failed?: boolean | undefined;
  /** It counts as a failed start, for the breaker. Default: when it was not up; one that came up counts against `maxRestarts` only. */
  start?: boolean | undefined;
  /** It had done its work: what failed before is forgiven. */
  served?: boolean | undefined;
  /** The error was an abort or a timeout: tried again soon (0.5 to 1.5 s), though it counts. */
  transient?: boolean | undefined;
}

const TRANSIENT_DELAY = 1000;
const TRANSIENT_JITTER = 0.5;

/** The decision. It changes nothing; `history` is what was known before `event`. */
export function decideRestart(policy: RestartPolicy, history: RestartHistory, event: ExitEvent, random: Random = Math.random): RestartDecision {
  if (policy.type === 'temporary' || (policy.type === 'transient' && event.clean)) {
    return { action: 'stop', reason: event.clean ? 'completed' : 'not-restarted' };
  }
  const { failures, failedStarts } = countsAfter(policy, history, event);
  const restarts = restartsWithin(policy, history, event.now).length;
  const limit = hasFailed(event) && failedStarts >= policy.maxFailures ? 'maxFailures' : restarts >= policy.maxRestarts ? 'maxRestarts' : undefined;
  if (limit && !policy.heals) return { action: 'stop', reason: limit === 'maxFailures' ? 'circuit-open' : 'max-restarts' };
  // Past its limit each restart of the window makes the rest longer, also of one that does its work in between.
  if (limit) return { action: 'restart', delay: backoffDelay(policy.backoff, Math.max(failures - 1, limit === 'maxRestarts' ? restarts : 0), random), limit };
  if (event.transient) return { action: 'restart', delay: jitter(TRANSIENT_DELAY, TRANSIENT_JITTER, random) };
  return { action: 'restart', delay: backoffDelay(policy.backoff, Math.max(0, failures - 1), random) };
}

/** What is said of a limit that is met. */
export function limitText({ maxFailures, maxRestarts, window }: RestartPolicy, limit: RestartLimit): string {
  return limit === 'maxFailures' ? `${maxFailures} starts in a row failed (maxFailures)` : `${maxRestarts} restarts within ${window} ms are used up (maxRestarts)`;
}

const hasFailed = (event: ExitEvent) => event.failed ?? !event.clean;

function countsAfter(policy: RestartPolicy, { upSince, failures, failedStarts = upSince === undefined ? failures : 0 }: RestartHistory, event: ExitEvent): { failures: number; failedStarts: number } {
  const proved = event.served === true || (upSince !== undefined && event.now - upSince >= policy.stableAfter);
  const failed = hasFailed(event) ? 1 : 0;
  const isStart = event.start ?? upSince === undefined;
  return { failures: (proved ? 0 : failures) + failed, failedStarts: isStart ? (proved ? 0 : failedStarts) + failed : 0 };
}

const restartsWithin = (policy: RestartPolicy, history: RestartHistory, now: number) => history.restarts.filter((at) => now - at < policy.window);

/** The decision with its memory: one for each thing that may be restarted. */
export class RestartTracker {
  /** May be replaced; the history stays. */
  policy: RestartPolicy;
  readonly #random: Random;
  #restarts: readonly number[] = [];
  #failures = 0;
  #failedStarts = 0;
  #upSince: number | undefined;

  constructor(policy: RestartPolicy, random: Random = Math.random) {
    this.policy = policy;
    this.#random = random;
  }

  /** Failures in a row, deaths and starts that failed. */
  get failures(): number {
    return this.#failures;
  }

  /** It came up. Later calls while it stays up change nothing. */
  onStart(now: number): void {
    this.#upSince ??= now;
  }

  /** It ended, or an attempt to bring it up failed. */
  onExit(event: ExitEvent): RestartDecision {
    const history = { restarts: this.#restarts, failures: this.#failures, failedStarts: this.#failedStarts, upSince: this.#upSince };
    const decision = decideRestart(this.policy, history, event, this.#random);
    ({ failures: this.#failures, failedStarts: this.#failedStarts } = countsAfter(this.policy, history, event));
    this.#upSince = undefined;
    // Without a limit nobody asks how many there were.
    if (decision.action === 'restart' && this.policy.maxRestarts !== Infinity) {
      this.#restarts = [...restartsWithin(this.policy, history, event.now), event.now];
    }
    return decision;
  }

  /** When its limit lets one more restart happen, ms from now; Infinity: never. */
  allowedIn(now: number): number {
    const { maxRestarts, window } = this.policy;
    const used = this.#restarts.filter((at) => now - at < window);
    // The one that has to leave the window first.
    const first = used[used.length - maxRestarts];
    return maxRestarts === 0 ? Infinity : first === undefined ? 0 : first + window - now;
  }

  /** It has proved itself (a passed health check, say): earlier failures are forgiven without waiting for `stableAfter`. */
  onStable(): void {
    this.#failures = 0;
    this.#failedStarts = 0;
  }

  /** An explicit restart: everything is forgotten. */
  reset(): void {
    this.#restarts = [];
    this.onStable();
    this.#upSince = undefined;
  }
}
