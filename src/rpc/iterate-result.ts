// The promise of a call is also iterable, for methods that stream.

/** `for await (const item of proxy.stream())` without an await in between. */
export async function* iterateResult(this: Promise<unknown>): AsyncGenerator<unknown, unknown, unknown> {
  const result = await this;
  const iterable = result as { [Symbol.asyncIterator]?: () => AsyncIterator<unknown> } & Iterable<unknown>;
  if (result === null || typeof result !== 'object' || (!(Symbol.asyncIterator in iterable) && !(Symbol.iterator in iterable))) {
    throw new TypeError('the method gave no stream: await the call instead of iterating it');
  }
  return yield* iterable as AsyncIterable<unknown>;
}
