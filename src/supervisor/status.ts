// What can be known of a unit from outside: a snapshot, never a live object.
// `healthy` is never said of a thing that has died and is not up again.
import type { Phase } from './lifecycle.js';
import type { StopReason } from './restart-policy.js';

/** Why a unit ended: asked to, by its own `{ terminal: true }` (`failed` when that came with an error), or by its restart policy. */
export type EndReason = 'terminate' | 'shutdown' | 'not-desired' | 'terminal' | 'failed' | StopReason;

export interface ProcessStatus {
  readonly id: string;
  readonly state: Phase;
  /** Syncing, up, and fewer than 5 failures in a row. */
  readonly healthy: boolean;
  /** It died by itself and is not up again. */
  readonly down: boolean;
  /** When the last successful sync ended (ms since 1970). */
  readonly lastSync: number | undefined;
  /** Failures in a row. */
  readonly errorCount: number;
  readonly lastError: Error | undefined;
  /** How often it was started again after it had died. */
  readonly restartCount: number;
  readonly generation: number;
  /** When it is looked at next: a retry, a restart or a resync. */
  readonly nextSyncAt: number | undefined;
  readonly endReason: EndReason | undefined;
  /** Milliseconds from the first successful sync to now, or to Finished. */
  readonly uptime: number;
}

/** Upstream's line between ill and well. */
export const HEALTHY_ERRORS = 5;

const FAILED: readonly (EndReason | undefined)[] = ['failed', 'not-restarted', 'max-restarts', 'circuit-open'];

/** Given up, or failing for long. */
export function isFailed(status: ProcessStatus): boolean {
  return status.errorCount > HEALTHY_ERRORS || FAILED.includes(status.endReason);
}
