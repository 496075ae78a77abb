// Many calls may share one AbortSignal: whoever listens to it from here does so through one listener, for Node warns of a leak from the
// eleventh on. Invariant: a signal to which nobody listens any more has no listener of ours.
interface Hub {
  readonly listeners: Set<() => void>;
  readonly fire: () => void;
}

const hubs = new WeakMap<AbortSignal, Hub>();

/** Calls `listener` once when `signal` aborts. */
export function onAbort(signal: AbortSignal, listener: () => void): void {
  const hub = hubs.get(signal);
  if (hub) return void hub.listeners.add(listener);
  const listeners = new Set([listener]);
  const fire = () => {
    hubs.delete(signal);
    for (const one of listeners) {
      try {
        one();
      } catch (error) {
        // Those behind it hear of it all the same, as those of an EventTarget do.
        process.nextTick(() => {
          throw error;
        });
      }
    }
  };
  hubs.set(signal, { listeners, fire });
  signal.addEventListener('abort', fire, { once: true });
}

/** `listener` is not interested any more. */
export function offAbort(signal: AbortSignal, listener: () => void): void {
  const hub = hubs.get(signal);
  if (!hub?.listeners.delete(listener) || hub.listeners.size > 0) return;
  hubs.delete(signal);
  signal.removeEventListener('abort', hub.fire);
}

/** Calls `listener` if `signal` aborts before `work` has settled. */
export async function abortsDuring<T>(signal: AbortSignal | undefined, listener: () => void, work: Promise<T>): Promise<T> {
  if (signal) onAbort(signal, listener);
  try {
    return await work;
  } finally {
    if (signal) offAbort(signal, listener);
  }
}
