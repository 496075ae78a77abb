// Typed events whose listeners cannot hurt the one who emits: what they throw (or reject with) goes to `onError`.
import { isError } from '../errors.js';

export type ErrorSink = (error: unknown, where: string) => void;

/** Loud, but harmless. */
export const warnAbout: ErrorSink = (error, where) => {
  const known = isError(error) ? error : new Error(String(error));
  const detail = `thrown by ${where}`;
  try {
    process.emitWarning(known, { detail });
  } catch {
    // Node takes no errors of another realm.
    process.emitWarning(known.message, { type: known.name, detail: `${detail}\n${known.stack}` });
  }
};

/** Calls `fn`; whatever goes wrong in it, now or later, goes to `onError`, and what `onError` throws goes nowhere. */
export function guarded(where: string, onError: ErrorSink, fn: () => unknown): void {
  const sink = (error: unknown) => {
    try {
      onError(error, where);
    } catch (second) {
      warnAbout(second, 'onError');
    }
  };
  try {
    const result = fn();
    if (result instanceof Promise) result.catch(sink);
  } catch (error) {
    sink(error);
  }
}

export class Emitter<Events> {
  /** Arrays are replaced, never changed: who listens from now on does not hear the event that is being told. */
  readonly #listeners = new Map<keyof Events, readonly ((event: never) => unknown)[]>();
  readonly #onError: ErrorSink;

  constructor(onError: ErrorSink = warnAbout) {
    this.#onError = onError;
  }

  /** Listens; the function returned stops listening. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => unknown): () => void {
    const own = (event: Events[Name]) => listener(event);
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), own]);
    return () => void this.#listeners.set(name, (this.#listeners.get(name) ?? []).filter((other) => other !== own));
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) guarded(`a listener of '${String(name)}'`, this.#onError, () => listener(event as never));
  }
}
