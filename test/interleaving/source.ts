// Streams of the caller, as arguments: each knows whether it began and whether it has ended.
import { ticks } from '../fixtures/processes/ticks.js';
import type { Flow } from './operation.js';

export class Source {
  began = false;
  ended = false;

  constructor(
    private readonly flow: Flow,
    private readonly base: number,
  ) {}

  /** A producer that has begun and not ended was left behind. */
  get open(): boolean {
    return this.began && !this.ended;
  }

  get items(): AsyncIterable<number> {
    const { form } = this.flow;
    if (form === 'sync') return this.#sync() as unknown as AsyncIterable<number>;
    if (form === 'readable') return this.#readable() as unknown as AsyncIterable<number>;
    return form === 'later' ? { [Symbol.asyncIterator]: () => this.#async() } : this.#async();
  }

  *#sync(): Generator<number> {
    this.began = true;
    try {
      for (let i = 0; i < this.flow.n; i++) yield this.#item(i);
    } finally {
      this.ended = true;
    }
  }

  async *#async(): AsyncGenerator<number> {
    this.began = true;
    try {
      for (let i = 0; i < this.flow.n; i++) {
        await ticks(this.flow.wait);
        yield this.#item(i);
      }
    } finally {
      this.ended = true;
    }
  }

  #readable(): ReadableStream<number> {
    let i = 0;
    return new ReadableStream<number>({
      pull: async (controller) => {
        this.began = true;
        await ticks(this.flow.wait);
        if (this.ended) return;
        if (i === this.flow.n) {
          this.ended = true;
          controller.close();
          return;
        }
        try {
          controller.enqueue(this.#item(i++));
        } catch (error) {
          this.ended = true;
          controller.error(error);
        }
      },
      cancel: () => void (this.ended = true),
    }, { highWaterMark: 0 });
  }

  #item(i: number): number {
    if (i === this.flow.failAt) throw new RangeError(`broke ${this.base}`);
    return this.base + i;
  }
}
