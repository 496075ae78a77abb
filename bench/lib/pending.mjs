// The least a raw channel needs: numbered calls and their answers. Shared by all raw systems so that they differ in the wire only.
export class Pending {
  #waiting = new Map();
  #next = 1;

  /** Sends through `send(id)`; gives the promise of the answer. */
  call(send) {
    return new Promise((resolve) => {
      const id = this.#next++;
      this.#waiting.set(id, resolve);
      send(id);
    });
  }

  settle(id, value) {
    const resolve = this.#waiting.get(id);
    this.#waiting.delete(id);
    resolve(value);
  }
}

/** Counts the items of one raw stream. */
export class Tally {
  #left = 0;
  #count = 0;
  #resolve;

  expect(count) {
    this.#left = this.#count = count;
    return new Promise((resolve) => (this.#resolve = resolve));
  }

  item() {
    if (--this.#left === 0) this.#resolve(this.#count);
  }
}
