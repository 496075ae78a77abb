// What the workers of one supervisor share: time, queues, hooks and defaults. No state of any unit is in here.
import { isError } from '../errors.js';
import type { Random } from './backoff.js';
import type { Clock } from './clock.js';
import type { Emitter, ErrorSink } from './emitter.js';
import type { Phase } from './lifecycle.js';
import type { ForgetfulCollector, MetricsCollector, ProcessErrorType } from './metrics.js';
import type { RestartPolicy } from './restart-options.js';
import type { RestartLimit } from './restart-policy.js';
import type { EndReason } from './status.js';
import type { Syncer, UpdateType } from './syncer.js';
import type { WorkQueue } from './work-queue.js';

export interface SupervisorEvents {
  /** Every step from phase to phase, in order. */
  transition: { id: string; generation: number; from: Phase; to: Phase };
  /** A sync succeeded. */
  synced: { id: string; generation: number; updateType: UpdateType; duration: number };
  /**
   * A hook failed or the thing died; `retryIn` is missing when it is not tried again. `limit`: which limit of its policy is met
   * (`why` says it in words), so that it rests until then.
   */
  failure: { id: string; generation: number; errorType: ProcessErrorType; error: Error; retryIn?: number; limit?: RestartLimit; why?: string };
  /** The thing died by itself. */
  exit: { id: string; generation: number; clean: boolean; error: Error | undefined };
  /** It is being started again. */
  restart: { id: string; generation: number; restartCount: number };
  /** Finished; `reason` says why. */
  finished: { id: string; generation: number; reason: EndReason; error: Error | undefined };
}

export interface Engine<Config> {
  readonly clock: Clock;
  readonly random: Random;
  readonly syncer: Syncer<Config>;
  /** When each idle unit is looked at next. */
  readonly queue: WorkQueue<string>;
  /** When the grace of each ending unit is over. */
  readonly deadlines: WorkQueue<string>;
  readonly metrics: MetricsCollector & ForgetfulCollector;
  readonly events: Emitter<SupervisorEvents>;
  readonly onError: ErrorSink;
  readonly resyncInterval: number;
  readonly backOffPeriod: number;
  readonly gracePeriod: number;
  readonly restartPolicy: RestartPolicy;
}

/** The error itself, or an Error around whatever was thrown instead of one. */
export function toError(thrown: unknown): Error {
  return isError(thrown) ? thrown : new Error(`not an Error: ${String(thrown)}`, { cause: thrown });
}

/** An abort or a timeout, at any depth of causes. */
export function isTransient(error: unknown, depth = 0): boolean {
  if (!isError(error) || depth > 8) return false;
  return error.name === 'AbortError' || error.name === 'TimeoutError' || isTransient(error.cause, depth + 1);
}
