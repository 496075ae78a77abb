// A binary heap that can also remove from the middle: every operation is O(log n).
// Items are told apart by identity, so each may be in the heap once; a second push of the same item only moves it.

/** The smallest item first, by `compare` (negative when `a` comes before `b`). */
export class Heap<T> {
  readonly #items: T[] = [];
  readonly #positions = new Map<T, number>();
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
    return this.#positions.has(item);
  }

  /** Adds `item`; when it is there already, finds its place again (after its sort key changed). */
  push(item: T): void {
    let at = this.#positions.get(item);
    if (at === undefined) at = this.#items.push(item) - 1;
    this.#settle(item, at);
  }

  pop(): T | undefined {
    const first = this.#items[0];
    if (this.#items.length > 0) this.remove(first as T);
    return first;
  }

  /** Takes `item` out, wherever it stands. False when it was not there. */
  remove(item: T): boolean {
    const at = this.#positions.get(item);
    if (at === undefined) return false;
    this.#positions.delete(item);
    const last = this.#items.pop() as T;
    if (at < this.#items.length) this.#settle(last, at);
    return true;
  }

  clear(): void {
    this.#items.length = 0;
    this.#positions.clear();
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
    this.#positions.set(item, at);
  }
}
