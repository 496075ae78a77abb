// What a method of a proxy gives: a promise that can be iterated as well, because whether a method streams shows only when
// it answers.

/** Makes `promise` iterable: `for await (const item of proxy.stream())` without an await in between. */
export function asResult(promise: Promise<unknown>): Promise<unknown> {
  (promise as Promise<unknown> & { [Symbol.asyncIterator]?: unknown })[Symbol.asyncIterator] = iterateResult;
  return promise;
}

/** Steps of a list that came as a whole between two turns of the event loop: who iterates it must not hold up all else. */
const STEPS_PER_TURN = 1_024;
/** No list of so many items crosses a link; one of so many holes may. */
const LONGEST_LIST = 2 ** 25;

/** Sync iterators are called the same way: an answer that is no promise can be awaited, too. */
type AnyIterator = AsyncIterator<unknown, unknown, unknown>;

export function iterateResult(this: Promise<unknown>): AsyncIterableIterator<unknown> {
  // Not a generator: one that was left before its first step would never look at the promise.
  const iterator = this.then(iteratorOf);
  iterator.catch(() => {});
  let steps = 0;
  return {
    next: async (...args) => {
      const step = (await iterator).next(...args);
      if (!(step instanceof Promise) && ++steps % STEPS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
      return step;
    },
    return: async (value) => (await (await iterator).return?.(value)) ?? { done: true, value },
    throw: async (error) => {
      const { throw: forward, return: leave } = await iterator;
      if (forward) return forward.call(await iterator, error);
      await leave?.call(await iterator);
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function iteratorOf(result: unknown): AnyIterator {
  const iterable = result as { [Symbol.asyncIterator]?: () => AnyIterator; [Symbol.iterator]?: () => AnyIterator };
  const iterator = typeof result === 'object' && result !== null ? (iterable[Symbol.asyncIterator]?.() ?? iterable[Symbol.iterator]?.()) : undefined;
  if (Array.isArray(result) && result.length > LONGEST_LIST) throw new TypeError(`the method gave a list of ${result.length} places, most of them holes: await the call and look at what is there`);
  if (!iterator) throw new TypeError('the method gave no stream: await the call instead of iterating it');
  return iterator;
}
