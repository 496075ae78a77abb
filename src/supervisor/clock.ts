// Where time comes from: everything that waits does so through a Clock, so that tests can own it.
// `now()` never runs backwards, whatever happens to the wall clock.
import { MAX_TIMEOUT } from '../units.js';

/** What `setTimeout` of a clock hands back; only that clock's `clearTimeout` knows what is inside. */
export type Timer = object;

export interface TimerOptions {
  /** Do not keep the program alive for this timer. */
  unref?: boolean | undefined;
}

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  setTimeout(callback: () => void, ms: number, options?: TimerOptions): Timer;
  clearTimeout(timer: Timer): void;
}

export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  setTimeout(callback, ms, options) {
    const timer = setTimeout(callback, Math.min(Math.max(0, ms), MAX_TIMEOUT));
    if (options?.unref) timer.unref();
    return timer;
  },
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
};
