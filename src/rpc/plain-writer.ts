// Checks and packs in one pass: writes msgpack that msgpackr reads, or says that a value is not plain and leaves no trace.
// Plain: objects, dense arrays, strings, numbers, bigints, Dates and small Uint8Arrays, each object at most once, every property read once.
import { Shapes, type Shape } from './shapes.js';

/** Extension types of ours; `unpacker.ts` reads them and refuses all others. */
export const Ext = { BYTES: 1, DATE: 2, UTF16: 3, BIGINT: 4 } as const;

/** Binary from this size on leaves the packed bytes and becomes an attachment. */
export const ATTACH_BYTES = 4096;
/** Brand of a proxy to a process. */
export const REMOTE = Symbol.for('mimas.remote');

const SLAB = 16 * 1024;
const KEEP = 1024 * 1024;
const LINEAR = 24;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const NOTHING = {};
const bufferPrototype = Buffer.prototype;
const bytesPrototype = Uint8Array.prototype;
const datePrototype = Date.prototype;

interface NativeWriter { utf8Write(text: string, offset: number, length: number): number; latin1Slice(start: number, end: number): string }
interface WellFormed { isWellFormed(): boolean }
export const isWellFormed = (text: string): boolean => (text as unknown as WellFormed).isWellFormed();

/** What is packed: a user's value, or input of our own (never checked): a graph's table, a batch whose binary is read as views. */
export type WriterMode = 'value' | 'table' | 'batch';

/** Raised inside a pack when the bytes exceed the limit; never leaves this folder. */
export class TooLarge {
  constructor(readonly size: number) {}
}

export class PlainWriter {
  private target = Buffer.allocUnsafeSlow(SLAB);
  private view = new DataView(this.target.buffer);
  private position = 0;
  private start = 0;
  private safeEnd = SLAB - 16;
  private shapes: Shapes | undefined;
  private seen: object[] = [];
  private seenCount = 0;
  private seenSet: Set<object> | undefined;
  private depth = 0;
  private mode: WriterMode = 'value';

  constructor(private readonly limit: number, private readonly maxDepth: number) {}

  /** Packs `value`; false when it is not plain. Afterwards `bytes()` or `text()` gives the result, once. @throws TooLarge */
  pack(value: unknown, shapes?: Shapes, mode: WriterMode = 'value'): boolean {
    this.shapes = shapes;
    this.mode = mode;
    this.depth = this.maxDepth;
    this.seenCount = 0;
    this.start = this.position;
    // A polluted Object.prototype would show in every for-in below.
    // oxlint-disable-next-line no-unreachable-loop, guard-for-in
    for (const _ in NOTHING) return false;
    let done = false;
    try {
      done = this.write(value);
      if (done && this.position - this.start > this.limit) throw new TooLarge(this.position - this.start);
      return done;
    } catch (error) {
      done = false;
      throw error;
    } finally {
      this.seenSet = undefined;
      for (let i = 0; i < this.seenCount && i < LINEAR; i++) this.seen[i] = NOTHING;
      if (done) shapes?.commit();
      else {
        shapes?.rollback();
        this.release();
      }
    }
  }

  get size(): number {
    return this.position - this.start;
  }

  /** The packed bytes as a view that nothing overwrites. It lies on a shared slab: send it over sockets only. */
  bytes(): Uint8Array {
    const packed = this.target.subarray(this.start, this.position);
    if (this.position > SLAB / 2) this.renew();
    return packed;
  }

  /** The packed bytes as a string of one character a byte. */
  text(): string {
    const text = (this.target as unknown as NativeWriter).latin1Slice(this.start, this.position);
    this.release();
    return text;
  }

  /** Gives up what was packed last. */
  discard(): void {
    this.release();
  }

  private release(): void {
    this.position = this.start;
    if (this.target.length > KEEP) this.renew();
  }

  private renew(): void {
    this.target = Buffer.allocUnsafeSlow(SLAB);
    this.view = new DataView(this.target.buffer);
    this.position = this.start = 0;
    this.safeEnd = SLAB - 16;
  }

  private room(bytes: number): void {
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

  private write(value: unknown): boolean {
    if (this.position > this.safeEnd) this.room(16);
    switch (typeof value) {
      case 'string':
        this.string(value);
        return true;
      case 'number':
        this.number(value);
        return true;
      case 'boolean':
        this.target[this.position++] = value ? 0xc3 : 0xc2;
        return true;
      case 'undefined':
        this.target[this.position++] = 0xd4;
        this.target[this.position++] = 0;
        this.target[this.position++] = 0;
        return true;
      case 'bigint':
        this.bigint(value);
        return true;
      case 'object':
        if (value === null) {
          this.target[this.position++] = 0xc0;
          return true;
        }
        return this.container(value);
      default:
        return false;
    }
  }

  private container(value: object): boolean {
    if (this.mode !== 'value') return this.trusted(value);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (this.isSeen(value)) return false;
    if (prototype === Object.prototype || prototype === null) {
      const symbols = value as Record<symbol, unknown>;
      if (symbols[REMOTE] !== undefined || symbols[Symbol.asyncIterator] !== undefined || symbols[Symbol.iterator] !== undefined) return false;
      return this.nested(value);
    }
    if (prototype === Array.prototype) return Array.isArray(value) && Object.keys(value).length === value.length && this.nested(value);
    if (prototype === datePrototype) return this.date(value as Date);
    if (prototype === bufferPrototype || prototype === bytesPrototype) return this.smallBytes(value as Uint8Array, prototype === bufferPrototype);
    return false;
  }

  private trusted(value: object): boolean {
    if (Array.isArray(value)) return this.array(value);
    if (!(value instanceof Uint8Array)) return this.object(value as Record<string, unknown>);
    if (this.mode === 'table') this.extension(Ext.BYTES, value);
    else this.binary(value);
    return true;
  }

  private nested(value: object): boolean {
    if (--this.depth < 0) return false;
    const done = Array.isArray(value) ? this.array(value) : this.object(value as Record<string, unknown>);
    this.depth++;
    return done;
  }

  private isSeen(value: object): boolean {
    const count = this.seenCount++;
    if (count < LINEAR) {
      for (let i = 0; i < count; i++) if (this.seen[i] === value) return true;
      this.seen[count] = value;
      return false;
    }
    const set = (this.seenSet ??= new Set(this.seen));
    const before = set.size;
    set.add(value);
    return set.size === before;
  }

  private array(value: readonly unknown[]): boolean {
    const length = value.length;
    if (length < 16) this.target[this.position++] = 0x90 | length;
    else this.header(0xdc, length);
    for (let i = 0; i < length; i++) if (!this.write(value[i])) return false;
    return value.length === length;
  }

  private object(value: Record<string, unknown>): boolean {
    let node: Shape | undefined = this.shapes?.root;
    let count = 0;
    // oxlint-disable-next-line guard-for-in -- the prototype has no enumerable keys: checked in pack and container
    for (const key in value) {
      count++;
      if (node !== undefined) node = node.key === key && node.next !== undefined ? node.next : node.others?.get(key);
    }
    if (node !== undefined && node.id !== 0 && count > 0) this.target[this.position++] = node.id;
    else if (this.shapes !== undefined && count > 0) {
      const keys = Object.keys(value);
      if (keys.includes('__proto__') || keys.length !== count) return false;
      if (!this.shapes.admits(keys)) return this.map(value, count);
      this.target[this.position++] = 0xd4;
      this.target[this.position++] = 0x72;
      this.target[this.position++] = this.shapes.define(keys);
      this.array(keys);
    } else if (count > 0 || (value as Record<symbol, unknown>)[Symbol.toStringTag] === undefined) return this.map(value, count);
    else return false; // Math, Atomics, Intl …: host objects that look empty
    // oxlint-disable-next-line guard-for-in
    for (const key in value) {
      if (!this.write(value[key])) return false;
      count--;
    }
    return count === 0;
  }

  private map(value: Record<string, unknown>, count: number): boolean {
    if (count < 16) this.target[this.position++] = 0x80 | count;
    else this.header(0xde, count);
    // oxlint-disable-next-line guard-for-in
    for (const key in value) {
      if (key === '__proto__') return false;
      if (this.position > this.safeEnd) this.room(16);
      this.string(key);
      if (!this.write(value[key])) return false;
      count--;
    }
    return count === 0;
  }

  /** A 16-bit length under `code`, or a 32-bit one under the code after it. */
  private header(code: number, length: number): void {
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

  private number(value: number): void {
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

  private bigint(value: bigint): void {
    if (value >= INT64_MIN && value <= INT64_MAX) {
      this.target[this.position++] = 0xd3;
      this.view.setBigInt64(this.position, value);
      this.position += 8;
      return;
    }
    const hex = value < 0n ? `-${(-value).toString(16)}` : value.toString(16);
    this.extension(Ext.BIGINT, Buffer.from(hex, 'latin1'));
  }

  private date(value: Date): boolean {
    const time = datePrototype.getTime.call(value);
    this.target[this.position++] = 0xd7;
    this.target[this.position++] = Ext.DATE;
    this.view.setFloat64(this.position, time);
    this.position += 8;
    return true;
  }

  /** Small binary whose buffer nobody else in the value shares. A Buffer sends only its own bytes, whatever pool it lies on. */
  private smallBytes(value: Uint8Array, isBuffer: boolean): boolean {
    if (value.byteLength >= ATTACH_BYTES) return false;
    const buffer = value.buffer as ArrayBuffer & { resizable?: boolean };
    if (buffer instanceof SharedArrayBuffer || buffer.resizable) return false;
    // A detached buffer and a view that sees only part of its buffer need the exact treatment.
    if (!isBuffer && (value.byteLength !== buffer.byteLength || this.isSeen(buffer))) return false;
    if (value.byteLength === 0 && !isBuffer) return false;
    this.extension(Ext.BYTES, value);
    return true;
  }

  private binary(value: Uint8Array): void {
    const length = value.byteLength;
    if (length < 0x100) {
      this.target[this.position++] = 0xc4;
      this.target[this.position++] = length;
    } else this.header(0xc5, length);
    this.raw(value);
  }

  private extension(type: number, data: Uint8Array): void {
    const length = data.byteLength;
    if (length < 0x100) {
      this.target[this.position++] = 0xc7;
      this.target[this.position++] = length;
    } else this.header(0xc8, length);
    this.target[this.position++] = type;
    this.raw(data);
  }

  private raw(data: Uint8Array): void {
    this.room(data.byteLength);
    this.target.set(data, this.position);
    this.position += data.byteLength;
  }

  private string(text: string): void {
    const length = text.length;
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
    if (bytes < 32 && length < 32) target[header] = 0xa0 | bytes;
    else if (bytes < 0x100) {
      if (length < 32) target.copyWithin(header + 2, first, at++);
      target[header] = 0xd9;
      target[header + 1] = bytes;
    }
    this.position = at;
  }
}
