// Waiting with a bound.
import { MAX_TIMEOUT } from '../units.js';

/** True when `promise` resolved within `ms`; false when the time was up. A rejection is passed on. */
export async function within(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, Math.min(ms, MAX_TIMEOUT), false);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
