// What a user of the supervisor writes: how a unit is brought up, ended and cleaned up. The supervisor decides when.
// For one unit the three never overlap, each other or themselves.
import type { Duration } from '../units.js';
import type { RestartPolicyOptions } from './restart-options.js';

export type UpdateType = 'create' | 'update' | 'sync' | 'terminate';

/** Why a sync runs: an update asked for it, the resync interval has passed, the last attempt failed, or the thing died. */
export type SyncCause = 'update' | 'resync' | 'retry' | 'restart';

export interface SyncContext {
  readonly id: string;
  /** Counts the lives of this id, from 1: a create after Finished begins the next. */
  readonly generation: number;
  readonly cause: SyncCause;
  /** Failed attempts since the last success. */
  readonly failures: number;
  /** Aborts when the unit is to end, or when the owner reports the death of what is being brought up. */
  readonly signal: AbortSignal;
}

export interface TerminatingContext {
  readonly id: string;
  readonly generation: number;
  /** Milliseconds to end within; can shrink while the hook runs, never grow. 0: kill at once (also on a retry after the grace is over). */
  readonly gracePeriod: number;
  /** Aborts when the grace is over or the shutdown deadline has passed: kill now, then resolve. */
  readonly signal: AbortSignal;
  /** Progress for those who asked for the termination (`terminateOptions.onStatus`). */
  report(status: unknown): void;
}

export interface TerminatedContext {
  readonly id: string;
  readonly generation: number;
  /** Aborts when the shutdown deadline has passed. */
  readonly signal: AbortSignal;
}

export interface SyncResult {
  /** The unit has done its work, or can never work: end it now. `error` says why, when it failed. */
  terminal?: boolean;
  error?: unknown;
}

export interface Syncer<Config> {
  /** Brings the world to `config`, or checks that it is so. Called again and again; a rejection is retried with backoff. */
  syncProcess(ctx: SyncContext, updateType: UpdateType, config: Config): Promise<SyncResult | void> | SyncResult | void;
  /** Ends the thing; resolves when nothing of it runs any more. Also called for a thing that already died. */
  syncTerminatingProcess(ctx: TerminatingContext, config: Config): Promise<void> | void;
  /** Cleans up behind it. */
  syncTerminatedProcess(ctx: TerminatedContext, config: Config): Promise<void> | void;
}

export interface TerminateOptions {
  /** Time to end by itself (default: the supervisor's, 10 s). A later request can only make it shorter. */
  gracePeriod?: Duration;
  /** Forget the unit as soon as it is Finished, instead of keeping it in the table. */
  evict?: boolean;
  /** Hears what the terminating hook reports. */
  onStatus?: (status: unknown) => void;
}

interface AnyUpdate { id: string }

/** `update`, `sync` and `terminate` of an unknown id need a config: it creates the unit, even if only to end it. */
export type ProcessUpdate<Config> = AnyUpdate & (
  /** `heals`: when a limit of its policy is met, it rests by backoff and is tried again, for ever, instead of being given up. */
  | { updateType: 'create'; config: Config; restartPolicy?: RestartPolicyOptions | undefined; heals?: boolean | undefined }
  | { updateType: 'update'; config?: Config; restartPolicy?: RestartPolicyOptions | undefined }
  | { updateType: 'sync'; config?: Config }
  | { updateType: 'terminate'; config?: Config; terminateOptions?: TerminateOptions }
);

/** How a thing that a sync had brought up died by itself. */
export interface ExitReport {
  error?: unknown;
  /** It ended as it was meant to: `transient` units stay down. */
  clean?: boolean;
  /** Counts as a failure; default: whenever it was not clean. */
  failed?: boolean;
  /** Counts as a failed start, for the breaker; default: when it was not up. */
  start?: boolean;
  /** It had done its work: what failed before is forgiven. */
  served?: boolean;
  /** Of which generation it was (`ctx.generation`); a report about an earlier one is ignored. */
  generation?: number;
}
