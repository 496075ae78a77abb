// Whether and when something that ended is started again: one pure decision, and a small object that keeps its history.
// A policy never acts; whoever asks it does.
import { backoffDelay, jitter, type Random } from './backoff.js';
import type { RestartPolicy } from './restart-options.js';

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
  /** May be replaced; the history stays. */
  policy: RestartPolicy;
  readonly #random: Random;
  #restarts: readonly number[] = [];
  #failures = 0;
  #upSince: number | undefined;

  constructor(policy: RestartPolicy, random: Random = Math.random) {
    this.policy = policy;
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
