// The containers of one value that were met so far: who meets one twice has found a cycle, or a part that the value holds twice.
// Each is compared with those of its size only; a Set takes over where there are many.

/** With more of one size than this, a Set is faster. */
const FEW = 40;
/** Sizes that are told apart, of objects and of arrays; larger ones count as the largest. */
const SIZES = 16;

/** What was met of one size. */
class Bucket {
  /** Those of this value, then zeros: small integers, because a reference from old memory to new costs more to write. */
  readonly met: (object | 0)[] = [];
  count = 0;
  all: Set<object> | undefined;
  /** The bucket that this value used before. */
  previous: Bucket | undefined;
}

export class Seen {
  readonly #buckets: (Bucket | undefined)[] = Array(2 * SIZES).fill(undefined);
  #used: Bucket | undefined;

  /** Says whether this object of so many entries was met before, or remembers it. */
  object(value: object, size: number): boolean {
    return this.#has(value, size < SIZES ? size : SIZES - 1);
  }

  /** The same for an array. */
  array(value: object, length: number): boolean {
    return this.#has(value, length < SIZES ? SIZES + length : 2 * SIZES - 1);
  }

  /** Ends the value: nothing of it is kept. */
  end(): void {
    let bucket = this.#used;
    this.#used = undefined;
    while (bucket !== undefined) {
      const { met, count, previous } = bucket;
      for (let i = 0; i < count; i++) met[i] = 0;
      bucket.count = 0;
      bucket.all = undefined;
      bucket.previous = undefined;
      bucket = previous;
    }
  }

  #has(value: object, size: number): boolean {
    const bucket = (this.#buckets[size] ??= new Bucket());
    const { met, count } = bucket;
    if (count === 0) {
      bucket.previous = this.#used;
      this.#used = bucket;
    } else if (count === FEW) return hasBeyond(bucket, value);
    for (let i = 0; i < count; i++) if (met[i] === value) return true;
    met[count] = value;
    bucket.count = count + 1;
    return false;
  }
}

function hasBeyond(bucket: Bucket, value: object): boolean {
  const all = (bucket.all ??= new Set(bucket.met as object[]));
  const before = all.size;
  all.add(value);
  return all.size === before;
}
