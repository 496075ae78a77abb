// Checks and packs in one pass: writes msgpack that msgpackr reads, or says that a value is not plain and leaves no trace.
// Plain: objects, dense arrays, strings, numbers, bigints, Dates and small Uint8Arrays, each object at most once, every property read once.
import { bufferOfBytes, lengthOfBytes } from './graph-host.js';
import { Ext, PackedOutput, TooLarge } from './packed-output.js';
import { isPlainObject } from './plain-object.js';
import { Seen } from './seen.js';
import type { Shape, Shapes } from './shapes.js';
import { HEAVY_BYTES, OBJECT_BYTES, SLOT_BYTES, WEIGHT_PER_BYTE } from './weight.js';

/** Binary from this size on leaves the packed bytes and becomes an attachment. */
export const ATTACH_BYTES = 4096;
/** Brand of a proxy to a process. */
export const REMOTE = Symbol.for('mimas.remote');

const NOTHING = {};
const bufferPrototype = Buffer.prototype;
const bytesPrototype = Uint8Array.prototype;
const datePrototype = Date.prototype;

/** What is packed: a user's value, a list of arguments, or the table of a graph, which is our own and not checked. */
export type WriterMode = 'value' | 'list' | 'table';

/**
 * Holes and extra properties show in the number of keys, unless there are as many of both: whoever reads the elements looks for holes,
 * too. Making names of the indices costs more than reading some values.
 */
export const mayBeDense = (array: readonly unknown[]): boolean => (array.length < 8 ? Object.keys(array) : Object.values(array)).length === array.length;

export class PlainWriter extends PackedOutput {
  private shapes: Shapes | undefined;
  /** Made by the first value: most links of a large fleet are idle. */
  private seen: Seen | undefined;
  private depth = 0;
  /** What is packed is a user's. */
  private checks = true;
  /** A pack is under way: only a getter of the value sees this true. */
  busy = false;

  constructor(limit: number, private readonly maxDepth: number) {
    super(limit);
  }

  /** Packs `value`; false when it is not plain. Afterwards `bytes()` or `text()` gives the result, once. @throws TooLarge */
  pack(value: unknown, shapes?: Shapes, mode: WriterMode = 'value'): boolean {
    this.shapes = shapes;
    this.checks = mode !== 'table';
    this.depth = this.maxDepth;
    this.start = this.position;
    this.objects = 0;
    this.ascii = true;
    // A polluted Object.prototype would show in every for-in below.
    // oxlint-disable-next-line no-unreachable-loop, guard-for-in
    if (this.checks) for (const _ in NOTHING) return false;
    if (this.checks) this.seen ??= new Seen();
    let done = false;
    this.busy = true;
    try {
      done = mode === 'list' ? this.arguments(value as unknown[]) : this.write(value);
      if (done) this.checkSize();
      return done;
    } catch (error) {
      done = false;
      throw error;
    } finally {
      this.busy = false;
      this.seen?.end();
      if (done) shapes?.commit();
      else {
        shapes?.rollback();
        this.release();
      }
    }
  }

  /** @throws TooLarge */
  private checkSize(): void {
    if (this.size > this.limit) throw new TooLarge(this.size);
    if (this.weight > WEIGHT_PER_BYTE * this.limit) throw new TooLarge(this.weight, true);
  }

  private arguments(list: readonly unknown[]): boolean {
    if (this.position > this.safeEnd) this.room(16);
    this.depth--;
    return this.array(list);
  }

  private write(value: unknown): boolean {
    if (this.position > this.safeEnd) this.room(16);
    // The common ones first; a `switch` over `typeof` would make its text.
    if (typeof value === 'string') this.string(value);
    else if (typeof value === 'number') this.number(value);
    else if (typeof value === 'object') {
      if (value !== null) return this.container(value);
      this.target[this.position++] = 0xc0;
    } else if (typeof value === 'boolean') this.target[this.position++] = value ? 0xc3 : 0xc2;
    else if (value === undefined) this.undefined();
    else if (typeof value === 'bigint') this.bigint(value);
    else return false;
    return true;
  }

  private container(value: object): boolean {
    if (!this.checks) return this.trusted(value);
    if (Array.isArray(value)) {
      if (!mayBeDense(value) || --this.depth < 0) return false;
      const done = this.array(value);
      this.depth++;
      return done;
    }
    // Before any for-in, which would make a name of each byte.
    if (ArrayBuffer.isView(value)) return this.smallBytes(value);
    return this.object(value as Record<string, unknown>);
  }

  private object(value: Record<string, unknown>): boolean {
    let shape: Shape | undefined = this.shapes?.root;
    if (shape !== undefined) {
      // oxlint-disable-next-line guard-for-in -- who inherits enumerable keys is not plain
      for (const key in value) {
        shape = shape.next(key);
        if (shape === undefined) break;
      }
    }
    if (shape === undefined || shape.id === 0 || !shape.isPlain(value)) return this.unknown(value);
    let left = shape.size;
    if (this.seen!.object(value, left) || --this.depth < 0) return false;
    this.objects += OBJECT_BYTES;
    this.target[this.position++] = shape.id;
    // oxlint-disable-next-line guard-for-in
    for (const key in value) {
      if (!this.write(value[key])) return false;
      left--;
    }
    this.depth++;
    return left === 0;
  }

  /** What is no instance of a record. */
  private unknown(value: Record<string, unknown>): boolean {
    if (isPlainObject(value)) {
      if (--this.depth < 0) return false;
      const done = this.fresh(value);
      this.depth++;
      return done;
    }
    return Object.getPrototypeOf(value) === datePrototype && !this.seen!.object(value, 0) && this.date(value as object as Date);
  }

  private trusted(value: object): boolean {
    if (Array.isArray(value)) return this.array(value);
    if (!(value instanceof Uint8Array)) return this.fresh(value as Record<string, unknown>);
    this.extension(Ext.BYTES, value);
    return true;
  }

  private array(value: readonly unknown[]): boolean {
    const length = value.length;
    if (this.checks && this.seen!.array(value, length)) return false;
    this.arrayHeader(length);
    for (let i = 0; i < length; i++) {
      const item = value[i];
      // A hole, which `mayBeDense` took for dense: a property of its own made up for it.
      if (item === undefined && !(i in value)) return false;
      if (!this.write(item)) return false;
    }
    return value.length === length;
  }

  /** An object whose shape becomes a record, or travels as a map. */
  private fresh(value: Record<string, unknown>): boolean {
    let count = 0;
    // oxlint-disable-next-line guard-for-in -- the prototype has no enumerable keys: checked in pack and container
    for (const _ in value) count++;
    if (this.checks && this.seen!.object(value, count)) return false;
    // Math, Atomics, Intl …: host objects that look empty.
    if (count === 0 && (value as Record<symbol, unknown>)[Symbol.toStringTag] !== undefined) return false;
    if (this.shapes === undefined || count === 0) return this.map(value, count);
    const keys = Object.keys(value);
    if (keys.includes('__proto__') || keys.length !== count) return false;
    if (!this.shapes.admits(keys)) return this.map(value, count);
    this.target[this.position++] = 0xd4;
    this.target[this.position++] = 0x72;
    this.target[this.position++] = this.shapes.define(keys);
    this.arrayHeader(keys.length);
    for (const key of keys) this.string(key);
    // oxlint-disable-next-line guard-for-in
    for (const key in value) {
      if (!this.write(value[key])) return false;
      count--;
    }
    return count === 0;
  }

  private map(value: Record<string, unknown>, count: number): boolean {
    this.objects += OBJECT_BYTES + SLOT_BYTES * count;
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

  private date(value: Date): boolean {
    const time = datePrototype.getTime.call(value);
    this.objects += HEAVY_BYTES;
    this.target[this.position++] = 0xd7;
    this.target[this.position++] = Ext.DATE;
    this.view.setFloat64(this.position, time);
    this.position += 8;
    return true;
  }

  /** Small binary whose buffer nobody else in the value shares. A Buffer sends only its own bytes, whatever pool it lies on. */
  private smallBytes(value: ArrayBufferView): boolean {
    const prototype: unknown = Object.getPrototypeOf(value);
    const isBuffer = prototype === bufferPrototype;
    if (!isBuffer && prototype !== bytesPrototype) return false;
    const length = lengthOfBytes(value);
    if (length >= ATTACH_BYTES) return false;
    const buffer = bufferOfBytes(value) as ArrayBuffer & { resizable?: boolean };
    if (buffer instanceof SharedArrayBuffer || buffer.resizable) return false;
    // A detached buffer and a view that sees only part of its buffer need the exact treatment.
    if (!isBuffer && length !== buffer.byteLength) return false;
    // A Buffer with memory of its own may share it with others; of one that lies on a pool only itself can be met twice.
    if (this.seen!.object(length === buffer.byteLength ? buffer : value, 0)) return false;
    if (length === 0 && !isBuffer) return false;
    this.extension(isBuffer ? Ext.BUFFER : Ext.BYTES, value as Uint8Array);
    return true;
  }
}
