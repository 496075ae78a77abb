// What one value brought along by reference, and who has to let go of it.
// Invariant: it belongs to the value that it came with. The link makes one for each value that needs it and hands it over; two calls never
// meet in one.
import type { LiveSignals } from './live-signals.js';
import type { Borrowed } from './references.js';
import type { IncomingStream } from './streams.js';

export class Imports {
  readonly streams: IncomingStream[] = [];
  readonly borrowed: Borrowed[] = [];
  /** Those that are followed. */
  readonly signals: number[] = [];
  /** What was made in all, as `maxLive` counts. */
  live = 0;

  constructor(private readonly followed: LiveSignals) {}

  /** The call that they were arguments of is done: functions expire, streams that it did not read to the end are left. */
  release(): void {
    for (const state of this.borrowed) if (state.keeps === 0) state.expired = true;
    for (const signal of this.signals) this.followed.forget(signal);
    for (const stream of this.streams) stream.cancel();
  }

  /** The caller has given up: who waits for a stream or a signal of the arguments hears of it, since nothing more will come of them. */
  interrupt(reason: unknown): void {
    for (const signal of this.signals) this.followed.abort(signal, reason);
    for (const stream of this.streams) stream.cancel({ reason });
  }
}
