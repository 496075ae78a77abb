// Packs the entries of a batch: numbers, other primitives, lists of them, packed payloads. All of it was made by this side, so nothing
// is checked. Apart from `PlainWriter`: the engine compiles each for what it meets, and a batch is mostly numbers.
import { PackedOutput, TooLarge } from './packed-output.js';

export class BatchWriter extends PackedOutput {
  /** Packs `entries`; `bytes()` or `text()` then gives the result, once. @throws TypeError, TooLarge */
  pack(entries: readonly unknown[]): void {
    this.start = this.position;
    try {
      this.write(entries);
      if (this.size > this.limit) throw new TooLarge(this.size);
    } catch (error) {
      this.release();
      throw error;
    }
  }

  private write(value: unknown): void {
    if (this.position > this.safeEnd) this.room(16);
    if (typeof value === 'number') this.number(value);
    else if (typeof value === 'string') this.string(value);
    else if (typeof value === 'object' && value !== null) {
      if (Array.isArray(value)) {
        this.arrayHeader(value.length);
        for (let i = 0; i < value.length; i++) this.write(value[i]);
      } else if (value instanceof Uint8Array) this.binary(value);
      else throw new TypeError('a batch carries primitives, lists and bytes only');
    } else this.simple(value);
  }

  private simple(value: unknown): void {
    if (typeof value === 'bigint') this.bigint(value);
    else if (value === undefined) this.undefined();
    else if (value === null || typeof value === 'boolean') this.target[this.position++] = value === null ? 0xc0 : value ? 0xc3 : 0xc2;
    else throw new TypeError('a batch carries primitives, lists and bytes only');
  }
}
