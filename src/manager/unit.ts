// What the manager's one supervisor keeps alive: anything that can be brought up, ended and cleaned up.
import type { SyncContext, SyncResult, Syncer, TerminatingContext } from '../supervisor/syncer.js';

export interface Unit {
  readonly id: string;
  /** Brings it up unless it is up. A rejection is tried again by the restart policy. */
  sync(context: SyncContext): Promise<SyncResult | void>;
  /** Ends it within `context.gracePeriod`. */
  terminate(context: TerminatingContext): Promise<void>;
}

export const unitSyncer: Syncer<Unit> = {
  syncProcess: (context, _updateType, unit) => unit.sync(context),
  syncTerminatingProcess: (context, unit) => unit.terminate(context),
  syncTerminatedProcess() {},
};
