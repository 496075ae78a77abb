// What a method of a proxy gives: a promise that can be iterated as well, because whether a method streams shows only when
// it answers.

/** Makes `promise` iterable: `for await (const item of proxy.stream())` without an await in between. */
export function asResult(promise: Promise<unknown>): Promise<unknown> {
  (promise as Promise<unknown> & { [Symbol.asyncIterator]?: unknown })[Symbol.asyncIterator] = iterateResult;
  return promise;
}

/** Sync iterators are called the same way: an answer that is no promise can be awaited, too. */
type AnyIterator = AsyncIterator<unknown, unknown, unknown>;

export function iterateResult(this: Promise<unknown>): AsyncIterableIterator<unknown> {
  // Not a generator: one that was left before its first step would never look at the promise.
  const iterator = this.then(iteratorOf);
  iterator.catch(() => {});
  return {
    next: async (...args) => (await iterator).next(...args),
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
  if (!iterator) throw new TypeError('the method gave no stream: await the call instead of iterating it');
  return iterator;
}
