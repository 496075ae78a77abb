// What a client is told of the process that it calls, and whom it asks and tells.
import type { Call } from './call.js';
import type { Meter } from './meter.js';

export interface ClientOptions {
  readonly name: string;
  readonly id: string;
  /** Where it runs, for stacks: `calculator (worker)`. */
  readonly describe: string;
  readonly level: 'objects' | 'bytes';
  readonly meter?: Meter | undefined;
  /** Default timeout of calls, ms. */
  readonly timeout?: number | undefined;
  readonly queueTimeout?: number | undefined;
  readonly maxQueue?: number | undefined;
  readonly maxInFlight?: number | undefined;
  readonly maxFrame?: number | undefined;
  readonly tracing?: boolean | undefined;
  readonly handle?: () => unknown;
  /** A sent call was given up: is the peer's loop still alive? */
  onSuspect?(call: Call): void;
  /** Calls wait until the peer has answered (true), or go on. */
  onHeld?(held: boolean): void;
  /** A call would be refused: true when it may wait all the same, because the process is brought up now. */
  onRefused?(): boolean;
}
