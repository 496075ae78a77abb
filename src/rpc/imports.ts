// What one value brought along by reference, and who has to let go of it.
// Invariant: it belongs to the value that it came with. The link makes one for each value that needs it and hands it over; two calls never
// meet in one.
import type { Borrowed } from './references.js';
import type { IncomingStream } from './streams.js';

export class Imports {
  readonly streams: IncomingStream[] = [];
  readonly borrowed: Borrowed[] = [];
  readonly signals: number[] = [];

  /** `forget`: the link need not follow this signal any more. */
  constructor(private readonly forget: (signal: number) => void) {}

  /** The call that they were arguments of is done: functions expire, streams that it did not read to the end are left. */
  release(): void {
    for (const state of this.borrowed) if (!state.kept) state.expired = true;
    for (const signal of this.signals) this.forget(signal);
    for (const stream of this.streams) stream.cancel();
  }

  /** The caller has given up: who waits for an argument's stream hears of it. */
  interrupt(reason: unknown): void {
    for (const stream of this.streams) stream.cancel({ reason });
  }
}
