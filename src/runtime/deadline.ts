// A signal that aborts when a time is over, or with another one. Not `AbortSignal.any([…, AbortSignal.timeout(ms)])`: on Node 20
// the garbage collector may take that timeout away, and then it never aborts.
import { MAX_TIMEOUT } from '../units.js';

export interface Deadline {
  readonly signal: AbortSignal;
  /** It is needed no more. Call it always: it ends the timer, and lets go of the other signal. */
  done(): void;
}

/** Aborts after `ms`, or with `other`, for the reason of whichever came first. */
export function deadline(ms: number, other?: AbortSignal): Deadline {
  const controller = new AbortController();
  const cut = () => {
    done();
    controller.abort(other!.reason);
  };
  const timer = setTimeout(() => {
    done();
    controller.abort(new DOMException(`${ms} ms are over`, 'TimeoutError'));
  }, Math.min(Math.max(0, ms), MAX_TIMEOUT));
  const done = () => {
    clearTimeout(timer);
    other?.removeEventListener('abort', cut);
  };
  if (other?.aborted) cut();
  else other?.addEventListener('abort', cut, { once: true });
  return { signal: controller.signal, done };
}
