// One key of a bulkhead: what is known of it while it starts, runs, stops, or has been given up.
import type { IsolationKey } from './key.js';

export type IsolationState = 'starting' | 'running' | 'stopping' | 'failed';
/** Asked to, unused for `idleTimeout`, the least recently used when room was needed, the end of all, or by itself. */
export type IsolationStopReason = 'terminate' | 'idle' | 'lru' | 'shutdown' | 'ended';

/** A key at one moment. */
export interface IsolationStatus<Config = unknown> {
  readonly id: string;
  /** The key that it was first asked for with. */
  readonly key: IsolationKey;
  /** The config that it was started with. */
  readonly config: Config;
  readonly state: IsolationState;
  readonly busy: boolean;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** When it was last asked for or at work (ms since 1970). */
  readonly lastUsed: number;
  /** Why it was given up. */
  readonly error: Error | undefined;
}

export interface Entry<Config, Value> {
  readonly id: string;
  readonly key: IsolationKey;
  readonly config: Config;
  readonly createdAt: number;
  readonly cancel: AbortController;
  state: IsolationState;
  value: Value | undefined;
  /** Settles when it is up, or could not be brought up. */
  started: Promise<Entry<Config, Value>>;
  stopped: Promise<void> | undefined;
  askedAt: number;
  /** Given out in this turn of the event loop: who got it has had no chance yet to use it. */
  fresh: boolean;
  /** Its place goes to another key as soon as it is gone. */
  inherited: boolean;
  /** It ended before those who wait for its start were told. */
  early: { error: Error | undefined } | undefined;
  error: Error | undefined;
  failedAt: number;
}
