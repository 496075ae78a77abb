// Writes msgpack primitives into memory that is reused between messages, so that packing a small value allocates nothing.
// Invariant: a message that is given up leaves the position where it was; bytes given out are never overwritten.
import { lengthOfBytes } from './graph-host.js';
import { HEAVY_BYTES, OBJECT_BYTES, SLOT_BYTES, STRING_BYTES } from './weight.js';

/** Extension types of ours; `unpacker.ts` reads them and refuses all others. */
export const Ext = { BYTES: 1, DATE: 2, UTF16: 3, BIGINT: 4, BUFFER: 5 } as const;

const SLAB = 16 * 1024;
/** What the next message may take, in all likelihood. */
const NEXT = 2 * 1024;
const KEEP = 1024 * 1024;
const EMPTY = Buffer.alloc(0);
const EMPTY_VIEW = new DataView(new ArrayBuffer(0));
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

interface NativeWriter { utf8Write(text: string, offset: number, length: number): number; latin1Slice(start: number, end: number): string }
interface WellFormed { isWellFormed(): boolean }
export const isWellFormed = (text: string): boolean => (text as unknown as WellFormed).isWellFormed();

/** Raised inside a pack when the bytes exceed the limit; never leaves this folder. */
export class TooLarge {
  /** `size`: its bytes, or, with `weighed`, what it takes in memory. */
  constructor(readonly size: number, readonly weighed = false) {}
}

export class PackedOutput {
  /** Nothing is allocated before the first write: most links of a large fleet are idle. */
  protected target = EMPTY;
  protected view = EMPTY_VIEW;
  protected position = 0;
  protected start = 0;
  protected safeEnd = -1;
  /** All strings that were written are. */
  ascii = true;

  constructor(protected readonly limit: number) {}

  /** What the objects in what was packed last count for beside their bytes (weight.ts). */
  objects = 0;

  get size(): number {
    return this.position - this.start;
  }

  /** What it takes of the memory of who reads it. */
  get weight(): number {
    return this.position - this.start + this.objects;
  }

  /** The packed bytes as a view that nothing overwrites. It lies on a shared slab: send it over sockets only. */
  bytes(): Uint8Array {
    const packed = this.target.subarray(this.start, this.position);
    if (this.position > SLAB - NEXT) this.renew();
    return packed;
  }

  /** The packed bytes as a string of one character a byte. */
  text(): string {
    const text = (this.target as unknown as NativeWriter).latin1Slice(this.start, this.position);
    this.release();
    return text;
  }

  /** Gives up what was packed last. */
  release(): void {
    this.position = this.start;
    if (this.target.length > KEEP) this.renew();
  }

  private renew(): void {
    this.target = Buffer.allocUnsafeSlow(SLAB);
    this.view = new DataView(this.target.buffer);
    this.position = this.start = 0;
    this.safeEnd = SLAB - 16;
  }

  protected room(bytes: number): void {
    if (this.position + bytes <= this.safeEnd) return;
    const used = this.position - this.start;
    if (used > this.limit) throw new TooLarge(used);
    const target = Buffer.allocUnsafeSlow(Math.max(SLAB, (used + bytes) * 2 + 16));
    this.target.copy(target, 0, this.start, this.position);
    this.target = target;
    this.view = new DataView(target.buffer);
    this.position = used;
    this.start = 0;
    this.safeEnd = target.length - 16;
  }

  /** A 16-bit length under `code`, or a 32-bit one under the code after it. */
  protected header(code: number, length: number): void {
    if (length < 0x10000) {
      this.target[this.position++] = code;
      this.view.setUint16(this.position, length);
      this.position += 2;
    } else {
      this.target[this.position++] = code + 1;
      this.view.setUint32(this.position, length);
      this.position += 4;
    }
  }

  protected arrayHeader(length: number): void {
    this.objects += OBJECT_BYTES + SLOT_BYTES * length;
    if (length < 16) this.target[this.position++] = 0x90 | length;
    else this.header(0xdc, length);
  }

  protected undefined(): void {
    this.target[this.position++] = 0xd4;
    this.target[this.position++] = 0;
    this.target[this.position++] = 0;
  }

  protected number(value: number): void {
    const target = this.target;
    if ((value | 0) === value && (value !== 0 || 1 / value > 0)) {
      if (value >= 0) {
        if (value < 0x40) target[this.position++] = value;
        else if (value < 0x100) {
          target[this.position++] = 0xcc;
          target[this.position++] = value;
        } else if (value < 0x10000) {
          target[this.position++] = 0xcd;
          target[this.position++] = value >> 8;
          target[this.position++] = value & 0xff;
        } else {
          target[this.position++] = 0xce;
          this.view.setUint32(this.position, value);
          this.position += 4;
        }
      } else if (value >= -0x20) target[this.position++] = 0x100 + value;
      else {
        target[this.position++] = 0xd2;
        this.view.setInt32(this.position, value);
        this.position += 4;
      }
      return;
    }
    target[this.position++] = 0xcb;
    this.view.setFloat64(this.position, value);
    this.position += 8;
  }

  protected bigint(value: bigint): void {
    if (value >= INT64_MIN && value <= INT64_MAX) {
      this.objects += OBJECT_BYTES;
      this.target[this.position++] = 0xd3;
      this.view.setBigInt64(this.position, value);
      this.position += 8;
      return;
    }
    const hex = value < 0n ? `-${(-value).toString(16)}` : value.toString(16);
    this.extension(Ext.BIGINT, Buffer.from(hex, 'latin1'));
  }

  protected binary(value: Uint8Array): void {
    const length = lengthOfBytes(value);
    if (length < 0x100) {
      this.target[this.position++] = 0xc4;
      this.target[this.position++] = length;
    } else this.header(0xc5, length);
    this.raw(value, length);
  }

  protected extension(type: number, data: Uint8Array): void {
    const length = lengthOfBytes(data);
    if (length < 0x100) {
      this.target[this.position++] = 0xc7;
      this.target[this.position++] = length;
    } else this.header(0xc8, length);
    this.target[this.position++] = type;
    this.raw(data, length);
  }

  private raw(data: Uint8Array, length: number): void {
    this.objects += HEAVY_BYTES;
    this.room(length);
    this.target.set(data, this.position);
    this.position += length;
  }

  protected string(text: string): void {
    const length = text.length;
    this.objects += STRING_BYTES;
    if (length < 64) {
      if (this.position + 194 > this.safeEnd) this.room(194);
      this.shortString(text, length);
      return;
    }
    if (!isWellFormed(text)) {
      this.extension(Ext.UTF16, Buffer.from(text, 'utf16le'));
      return;
    }
    this.room(length * 3 + 5);
    // The byte length is between `length` and three times it: write behind the largest header it may need, then close the gap.
    const target = this.target;
    const guess = length * 3 < 0x100 ? 2 : length * 3 < 0x10000 ? 3 : 5;
    const at = this.position;
    const bytes = (target as unknown as NativeWriter).utf8Write(text, at + guess, length * 3);
    if (bytes !== length) this.ascii = false;
    const header = bytes < 0x100 ? 2 : bytes < 0x10000 ? 3 : 5;
    if (header !== guess) target.copyWithin(at + header, at + guess, at + guess + bytes);
    if (header === 2) {
      target[at] = 0xd9;
      target[at + 1] = bytes;
    } else if (header === 3) {
      target[at] = 0xda;
      this.view.setUint16(at + 1, bytes);
    } else {
      target[at] = 0xdb;
      this.view.setUint32(at + 1, bytes);
    }
    this.position = at + header + bytes;
  }

  private shortString(text: string, length: number): void {
    const target = this.target;
    const header = this.position;
    const first = header + (length < 32 ? 1 : 2);
    let at = first;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit < 0x80) target[at++] = unit;
      else if (unit < 0x800) {
        target[at++] = (unit >> 6) | 0xc0;
        target[at++] = (unit & 0x3f) | 0x80;
      } else if ((unit & 0xf800) === 0xd800) {
        const low = unit < 0xdc00 && i + 1 < length ? text.charCodeAt(i + 1) : 0;
        if ((low & 0xfc00) !== 0xdc00) {
          this.extension(Ext.UTF16, Buffer.from(text, 'utf16le'));
          return;
        }
        i++;
        const point = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
        target[at++] = (point >> 18) | 0xf0;
        target[at++] = ((point >> 12) & 0x3f) | 0x80;
        target[at++] = ((point >> 6) & 0x3f) | 0x80;
        target[at++] = (point & 0x3f) | 0x80;
      } else {
        target[at++] = (unit >> 12) | 0xe0;
        target[at++] = ((unit >> 6) & 0x3f) | 0x80;
        target[at++] = (unit & 0x3f) | 0x80;
      }
    }
    const bytes = at - first;
    if (bytes !== length) this.ascii = false;
    if (bytes < 32 && length < 32) target[header] = 0xa0 | bytes;
    else if (bytes < 0x100) {
      if (length < 32) target.copyWithin(header + 2, first, at++);
      target[header] = 0xd9;
      target[header + 1] = bytes;
    }
    this.position = at;
  }
}
