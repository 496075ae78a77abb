// The containers of one value that were met so far: who meets one twice has found a cycle, or a part that the value holds twice.
// A value of few containers, the common one, costs no Set: each is compared with those of its size only.

/** With more containers than this, a Set takes over. */
const FEW = 40;
/** Sizes that are told apart, of objects and of arrays; larger ones count as the largest. */
const SIZES = 16;
const MAX_BASE = 0x3fff_ffff;
const NOTHING = {};

export class Seen {
  readonly #met: object[] = [];
  #count = 0;
  #all: Set<object> | undefined;
  /** One more than the place of the last container of a size, if larger than `#base`. */
  readonly #lastOfSize = new Int32Array(2 * SIZES);
  /** The same for the one of that size before, by place. */
  readonly #before = new Int32Array(FEW);
  /** Grows from value to value, so that nothing has to be cleared. */
  #base = 0;

  /** Begins a value, with nothing seen. */
  begin(): void {
    this.#base += FEW;
    if (this.#base <= MAX_BASE) return;
    this.#base = 0;
    this.#lastOfSize.fill(0);
  }

  /** Says whether this object of so many entries was met before, or remembers it. */
  object(value: object, size: number): boolean {
    return this.#has(value, Math.min(size, SIZES - 1));
  }

  /** The same for an array. */
  array(value: object, length: number): boolean {
    return this.#has(value, SIZES + Math.min(length, SIZES - 1));
  }

  /** Ends the value: nothing of it is kept. */
  end(): void {
    for (let i = 0; i < this.#count && i < FEW; i++) this.#met[i] = NOTHING;
    this.#count = 0;
    this.#all = undefined;
  }

  #has(value: object, size: number): boolean {
    const count = this.#count++;
    if (count >= FEW) {
      const all = (this.#all ??= new Set(this.#met));
      const before = all.size;
      all.add(value);
      return all.size === before;
    }
    const met = this.#met;
    const base = this.#base;
    const last = this.#lastOfSize[size]!;
    for (let at = last - base; at > 0; at = this.#before[at - 1]! - base) if (met[at - 1] === value) return true;
    met[count] = value;
    this.#before[count] = last;
    this.#lastOfSize[size] = base + count + 1;
    return false;
  }
}
