// The statuses of a process as its users see them, and the only steps between them. Whoever hears of a status may act on it at once, so
// none is said that is about to be taken back: `stopped` and `failed` only when nothing will bring it up unless somebody asks.
import type { ProcessStatus } from '../types.js';

export const STATUS_STEPS: Readonly<Record<ProcessStatus, readonly ProcessStatus[]>> = {
  /** Comes up for the first time. */
  starting: ['running', 'stopped', 'failed'],
  /** Takes calls. */
  running: ['restarting', 'stopping'],
  /** Down, and to be up again: its death, a restart that was asked for, or its group brings it back. */
  restarting: ['running', 'stopped', 'failed'],
  /** Told to end; nothing of it may run any more when this is over. */
  stopping: ['restarting', 'stopped'],
  /** Ended as asked, or as it was meant to. */
  stopped: ['restarting'],
  /** Given up, or never came up. */
  failed: ['restarting'],
};

/** One step, for those who watch. */
export interface StatusStep {
  readonly process: string;
  readonly from: ProcessStatus;
  readonly to: ProcessStatus;
  readonly legal: boolean;
}

const WATCH = Symbol.for('mimas.status-steps');
type Watched = { [WATCH]?: ((step: StatusStep) => void) | undefined };

/** Hears each step of each process of this program, in every copy of this library: the tests refuse illegal ones. */
export function watchStatusSteps(listener: ((step: StatusStep) => void) | undefined): void {
  (globalThis as Watched)[WATCH] = listener;
}

/** To be told before the step is. */
export function noteStatusStep(process: string, from: ProcessStatus, to: ProcessStatus): void {
  (globalThis as Watched)[WATCH]?.({ process, from, to, legal: STATUS_STEPS[from].includes(to) });
}
