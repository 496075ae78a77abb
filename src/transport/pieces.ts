// Gathers what arrives in pieces. Invariant: what a list pins is bounded by what has arrived, however small the pieces are.

/** Pieces up to this are copied behind each other: a buffer of a few bytes costs hundreds. */
const SMALL = 16 * 1024;
const FIRST_BLOCK = 4 * 1024;
const LAST_BLOCK = 64 * 1024;
const NONE = Buffer.alloc(0);

export class Pieces {
  #block = NONE;
  #used = 0;

  /** Adds a piece to the end of `list`, which only this may have added to. */
  add(list: Buffer[], piece: Buffer): void {
    if (piece.length >= SMALL) {
      list.push(piece);
      return;
    }
    let rest = piece;
    while (rest.length > 0) {
      if (this.#used === this.#block.length) {
        this.#block = Buffer.allocUnsafeSlow(Math.min(LAST_BLOCK, Math.max(FIRST_BLOCK, this.#block.length * 2)));
        this.#used = 0;
      }
      const taken = rest.copy(this.#block, this.#used);
      const last = list.at(-1);
      // The last piece of the list may be another frame's, or a large one.
      const start = last && last.buffer === this.#block.buffer && last.byteOffset + last.length === this.#used ? last.byteOffset : this.#used;
      this.#used += taken;
      const grown = this.#block.subarray(start, this.#used);
      if (start < this.#used - taken) list[list.length - 1] = grown;
      else list.push(grown);
      rest = rest.subarray(taken);
    }
  }

  /** What was gathered has been used. */
  reset(): void {
    this.#block = NONE;
    this.#used = 0;
  }
}
