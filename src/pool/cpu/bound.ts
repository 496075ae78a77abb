// What ends one call before its time: its timeout or the caller's signal, whichever is first; once.
import { offAbort, onAbort } from '../../rpc/abort-listeners.js';
import { addDeadline, removeDeadline, type Due } from '../../rpc/deadlines.js';

export class Bound implements Due {
  dueAt = 0;
  place = -1;
  done = false;
  /** ms; undefined without a timeout. */
  readonly timeLeft: number | undefined;
  readonly #controller = new AbortController();
  readonly #onAbort: (() => void) | undefined;

  constructor(
    ms: number,
    private readonly outer: AbortSignal | undefined,
    private readonly giveUp: (cause: { value: unknown } | undefined) => void,
  ) {
    if (ms !== Infinity) {
      this.timeLeft = ms;
      this.dueAt = performance.now() + ms;
      addDeadline(this);
    }
    if (outer) {
      this.#onAbort = () => this.#end({ value: outer.reason });
      onAbort(outer, this.#onAbort);
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  expire(): void {
    this.#end(undefined);
  }

  #end(cause: { value: unknown } | undefined): void {
    if (this.done) return;
    this.release();
    this.giveUp(cause);
    this.#controller.abort();
  }

  release(): void {
    this.done = true;
    if (this.dueAt !== 0) removeDeadline(this);
    if (this.#onAbort) offAbort(this.outer!, this.#onAbort);
  }
}
