// What is under way on a link, by its number. Numbers ascend, so a ring indexed by their low bits holds them; the few that take much
// longer than their neighbours stand aside. Not a Map: each time a Map makes room, its old table points to the new one, and once a
// table is old to the garbage collector, it keeps alive all that follow, with every call in them (measured: half of all time).

const SMALLEST = 16;

export class IdTable<T extends object> {
  #ids = new Float64Array(SMALLEST);
  #values: (T | undefined)[] = emptyOf(SMALLEST);
  #mask = SMALLEST - 1;
  #aside: Map<number, T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** `id`: a whole number; one that is there is replaced. */
  set(id: number, value: T): void {
    this.take(id);
    this.add(id, value);
  }

  /** `id`: a whole number that is not there. */
  add(id: number, value: T): void {
    let at = id & this.#mask;
    while (this.#values[at] !== undefined) {
      this.#makeRoom(at);
      at = id & this.#mask;
    }
    this.#ids[at] = id;
    this.#values[at] = value;
    this.#size++;
  }

  get(id: number): T | undefined {
    const at = id & this.#mask;
    const value = this.#values[at];
    if (value !== undefined && this.#ids[at] === id) return value;
    return this.#aside?.get(id);
  }

  /** Takes it out. */
  take(id: number): T | undefined {
    const at = id & this.#mask;
    const value = this.#values[at];
    if (value !== undefined && this.#ids[at] === id) {
      this.#values[at] = undefined;
      this.#size--;
      return value;
    }
    const other = this.#aside?.get(id);
    if (other !== undefined) {
      this.#aside!.delete(id);
      this.#size--;
    }
    return other;
  }

  /** All, by their numbers. */
  values(): T[] {
    return this.#entries().sort(([a], [b]) => a - b).map(([, value]) => value);
  }

  clear(): void {
    this.#ids = new Float64Array(SMALLEST);
    this.#values = emptyOf(SMALLEST);
    this.#mask = SMALLEST - 1;
    this.#aside = undefined;
    this.#size = 0;
  }

  #entries(): [number, T][] {
    const entries: [number, T][] = [...(this.#aside ?? [])];
    this.#values.forEach((value, at) => {
      if (value !== undefined) entries.push([this.#ids[at]!, value]);
    });
    return entries;
  }

  /** The one at `at` is older than all newer ones: it stands aside, unless the ring has become too small. */
  #makeRoom(at: number): void {
    if (this.#size * 2 <= this.#mask) {
      this.#aside ??= new Map();
      this.#aside.set(this.#ids[at]!, this.#values[at]!);
      this.#values[at] = undefined;
      return;
    }
    const entries = this.#entries().sort(([a], [b]) => a - b);
    this.#mask = this.#mask * 2 + 1;
    this.#ids = new Float64Array(this.#mask + 1);
    this.#values = emptyOf(this.#mask + 1);
    this.#aside = undefined;
    this.#size = 0;
    for (const [id, value] of entries) this.add(id, value);
  }
}

const emptyOf = (length: number): undefined[] => Array.from({ length }, () => undefined);
