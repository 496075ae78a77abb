// A counter: state that outlives a call, a stream of its changes, callbacks for the length of a call, and kept ones.
import { OnShutdown, Process, Public, currentCall, keep } from 'mimas';

type Listener = (value: number) => unknown;

@Process({ name: 'counter', version: '1.0.0', description: 'Counts, and tells who wants to know' })
export default class Counter {
  #value = 0;
  #step = 1;
  readonly #listeners = new Set<Listener & Disposable>();
  readonly #waiting = new Set<() => void>();

  /** `dependencies` of the spawn: where to start, and by how much to count. */
  init(options?: { start?: number; step?: number }): void {
    this.#value = options?.start ?? 0;
    this.#step = options?.step ?? 1;
  }

  @Public()
  value(): number {
    return this.#value;
  }

  @Public()
  async increment(by: number = this.#step): Promise<number> {
    this.#value += by;
    for (const wake of this.#waiting) wake();
    for (const listener of this.#listeners) await listener(this.#value);
    return this.#value;
  }

  /** Counts to `target`, and calls `onStep` after each step: a callback that works while this call runs. */
  @Public()
  async countUp(target: number, onStep: Listener): Promise<number> {
    while (this.#value < target) await onStep(await this.increment());
    return this.#value;
  }

  /** The value now and after each change, until the caller leaves the loop. Changes in between are joined. */
  @Public()
  async *watch(): AsyncGenerator<number> {
    const { signal } = currentCall();
    let seen: number | undefined;
    while (!signal.aborted) {
      if (seen !== this.#value) yield (seen = this.#value);
      else await this.#change(signal);
    }
  }

  /** Adds the numbers of a stream that the caller produces. */
  @Public()
  async addAll(numbers: AsyncIterable<number>): Promise<number> {
    for await (const number of numbers) await this.increment(number);
    return this.#value;
  }

  /** Calls `listener` after each change, beyond this call. The result ends it. */
  @Public()
  subscribe(listener: Listener): () => void {
    const held = keep(listener);
    this.#listeners.add(held);
    return keep(() => {
      if (this.#listeners.delete(held)) held[Symbol.dispose]();
    });
  }

  /** How many listeners it holds. */
  @Public()
  listeners(): number {
    return this.#listeners.size;
  }

  @OnShutdown()
  close(): void {
    for (const listener of this.#listeners) listener[Symbol.dispose]();
    this.#listeners.clear();
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}
