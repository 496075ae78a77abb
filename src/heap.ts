// A binary heap that can also remove from the middle: every operation is O(log n).
// Invariant: an item in the heap knows its place in it, so that nothing has to be looked up; it may stand in one heap at a time.

/** What can stand in a heap. */
export interface Placed {
  /** Its index, -1 while it is in none. The heap's to set. */
  place: number;
}

/** The smallest item first, by `compare` (negative when `a` comes before `b`). */
export class Heap<T extends Placed> {
  readonly #items: T[] = [];
  readonly #compare: (a: T, b: T) => number;

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  has(item: T): boolean {
    return this.#items[item.place] === item;
  }

  /** Adds `item`; when it is there already, finds its place again (after its sort key changed). */
  push(item: T): void {
    this.#settle(item, item.place >= 0 ? item.place : this.#items.push(item) - 1);
  }

  pop(): T | undefined {
    const first = this.#items[0];
    if (first !== undefined) this.remove(first);
    return first;
  }

  /** Takes `item` out, wherever it stands. False when it was not there. */
  remove(item: T): boolean {
    const at = item.place;
    if (at < 0) return false;
    item.place = -1;
    const last = this.#items.pop() as T;
    if (at < this.#items.length) this.#settle(last, at);
    return true;
  }

  clear(): void {
    for (const item of this.#items) item.place = -1;
    this.#items.length = 0;
  }

  #settle(item: T, at: number): void {
    const items = this.#items;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = items[parentAt] as T;
      if (this.#compare(item, parent) >= 0) break;
      this.#put(parent, at);
      at = parentAt;
    }
    for (let childAt = 2 * at + 1; childAt < items.length; childAt = 2 * at + 1) {
      let child = items[childAt] as T;
      if (childAt + 1 < items.length && this.#compare(items[childAt + 1] as T, child) < 0) child = items[++childAt] as T;
      if (this.#compare(child, item) >= 0) break;
      this.#put(child, at);
      at = childAt;
    }
    this.#put(item, at);
  }

  #put(item: T, at: number): void {
    this.#items[at] = item;
    item.place = at;
  }
}
