// What the bulkheads need of whatever they keep apart. Time is that of the clock they were given.
import type { IsolationKey } from './key.js';

export interface StartContext<Config> {
  /** `shared`, `ns:…` or `session:…`. */
  readonly id: string;
  readonly key: IsolationKey;
  readonly config: Config;
  /** Aborts when the key is terminated while it starts. */
  readonly signal: AbortSignal;
  /** To be called when the thing was given up, or ended, without being asked to: the key is free for a new one. */
  readonly gone: (error: Error | undefined) => void;
  /** To be called when it runs again after it was gone or stopped, because someone who still held it has started it. */
  readonly back: () => void;
}

export interface StopContext {
  /** Milliseconds; undefined: the backend's own default. */
  readonly gracePeriod: number | undefined;
  readonly reason: string;
}

export interface IsolationBackend<Config, Value> {
  /** Resolves when it is up; a rejection is told to all who wait, as it is. Leaves nothing behind then. */
  start(context: StartContext<Config>): Promise<Value>;
  /** Drains and ends it; resolves when nothing of it runs any more. */
  stop(value: Value, context: StopContext): Promise<void>;
  /** It has work under way: it is not evicted. Default: never. */
  busy?(value: Value): boolean;
  /** When it was last at work. Default: never; then only being asked for counts. */
  lastActive?(value: Value): number;
}
