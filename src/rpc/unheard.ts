// A promise that rejects and tells when nobody has ever waited for it. For errors that would be lost otherwise, but must end no program.
/** Awaiting it asks for its `then`: the engine takes a shortcut only with promises of the language itself. */
class Watched extends Promise<never> {
  waitedFor = false;

  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  // oxlint-disable-next-line unicorn/no-thenable -- it is a promise
  override then<A = never, B = never>(onFulfilled?: ((value: never) => A | PromiseLike<A>) | null, onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<A | B> {
    this.waitedFor = true;
    return super.then(onFulfilled, onRejected);
  }
}

/** Rejects with `error`; calls `unheard` instead when nobody waits for it within this turn of the event loop. */
export function rejectedUnheard(error: unknown, unheard: () => void): Promise<never> {
  const promise = new Watched((_, reject) => reject(error));
  Promise.prototype.then.call(promise, undefined, () => {});
  setImmediate(() => promise.waitedFor || unheard());
  return promise;
}
