// How long to wait before the next try. Attempts count from 0, and attempt 0 waits the initial delay.
// Jitter comes after the cap, so that units which all wait the maximum still spread out.

export type BackoffType = 'linear' | 'exponential';

export interface Backoff {
  readonly type: BackoffType;
  /** Milliseconds before the first retry. */
  readonly initial: number;
  /** The cap, in milliseconds, before jitter. */
  readonly max: number;
  /** 0.25 spreads each delay evenly over ±25 %. */
  readonly jitter: number;
}

export type Random = () => number;

/** `duration` spread evenly over ±`fraction` (held within 0 to 1). */
export function jitter(duration: number, fraction: number, random: Random = Math.random): number {
  const width = Math.min(1, Math.max(0, fraction));
  return width === 0 ? duration : duration * (1 - width + 2 * width * random());
}

/** The delay before retry number `attempt`, without jitter. A negative attempt waits nothing. */
export function plainDelay(backoff: Backoff, attempt: number): number {
  if (attempt < 0) return 0;
  const grown = backoff.type === 'linear' ? backoff.initial * (attempt + 1) : backoff.initial * 2 ** Math.min(attempt, 1023);
  return Math.min(backoff.max, grown);
}

/** The delay before retry number `attempt`. */
export function backoffDelay(backoff: Backoff, attempt: number, random: Random = Math.random): number {
  return jitter(plainDelay(backoff, attempt), backoff.jitter, random);
}
