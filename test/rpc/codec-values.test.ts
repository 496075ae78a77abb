// What structured clone keeps, both kinds of link keep: a table of cases, then any value that fast-check finds.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ASCII, LEVELS, Tag, pair, type Wire } from './pair.js';
import { difference, exactClone } from './strict-difference.js';

const shared = { a: 1 };
const cycle: Record<string, unknown> = { name: 'cycle' };
cycle['self'] = cycle;
cycle['list'] = [cycle, new Map([[cycle, new Set([cycle])]])];
const extra = Object.assign([1, 2], { note: 'x', '10': 3 });
// oxlint-disable-next-line no-sparse-arrays
const sparse = [, 1, , 2, ,];
// As many holes as properties: the number of keys is that of a dense array.
const disguised = (length: number) => Object.assign(Array.from({ length }, (_, i) => i), { note: 'x' });
const disguisedShort = disguised(3);
delete disguisedShort[1];
const disguisedLong = disguised(12);
delete disguisedLong[0];
const disguisedNested = [{ list: disguised(9) }];
delete disguisedNested[0]!.list[8];
const whole = new Uint8Array([1, 2, 3, 4]).buffer;
const buffer = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]).buffer;
const Resizable = ArrayBuffer as unknown as new (length: number, options: { maxByteLength: number }) => ArrayBuffer;
class Point {
  x = 1;
  #hidden = 2;
  get sum() { return this.x + this.#hidden; }
}

const CASES: Record<string, unknown> = {
  undefined: undefined, null: null, true: true, zero: 0, 'minus zero': -0, NaN: NaN, infinity: -Infinity, 'max int': 2 ** 53, float: 1.1, int32: -(2 ** 31), uint32: 2 ** 32 - 1,
  'empty string': '', unicode: 'é€😀\0', 'lone surrogate': 'a\ud800b', 'long lone surrogate': 'x'.repeat(200) + '\udc00', 'long string': 'é'.repeat(100_000),
  'strings around every header': [20, 31, 32, 63, 64, 85, 86, 127, 128, 255, 256, 21_845, 21_846, 65_535, 65_536].flatMap((n) => ['a'.repeat(n), 'é'.repeat(n), '€'.repeat(n)]),
  'small bigint': 5n, 'int64 edges': [2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n, -(2n ** 63n) - 1n], 'huge bigint': { n: -(7n ** 1000n) },
  'nested data': { a: [1, { b: 'c' }], d: { e: { f: [] } }, g: {} }, 'key kinds': { '': 1, 'a b': 2, '1': 3, 'é': 4, '\ud800': 5, constructor: 6, hasOwnProperty: 7, toString: 8, __keys__: 9 },
  'toJSON as data': { toJSON: 1 }, 'undefined property': { a: undefined }, 'nested minus zero': [{ a: [-0] }],
  'valid date': new Date(1.7e12 + 0.9), 'early date': new Date(-8.64e15), 'invalid date': { d: new Date(NaN) }, regexp: /a(?<x>b)\/c/giu,
  map: new Map<unknown, unknown>([[{ k: 1 }, 1], [NaN, 2], [-0, 3], ['__proto__', 4]]), set: new Set([1, '1', { a: 1 }]),
  cycle, 'shared object': [shared, shared], 'shared in depth': { a: { s: shared }, b: [{ s: shared }] }, 'shared date': ((d) => [d, d])(new Date(0)),
  sparse, 'very sparse': Object.assign([], { length: 500_000, 400_000: 1 }), 'only holes': Object.assign([], { length: 3 }), 'extra properties': extra,
  'a hole and a property, short': disguisedShort, 'a hole and a property, long': disguisedLong, 'a hole and a property, nested': disguisedNested,
  boxed: [Object(1), Object(-0), Object('s'), Object(true), Object(10n)],
  'typed arrays': [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array].map((C) => new C([1, 2, 3])),
  'bigint arrays': [new BigInt64Array([1n, -1n]), new BigUint64Array([2n])], 'data view': new DataView(new ArrayBuffer(8), 2, 3), 'array buffer': new ArrayBuffer(5), 'empty bytes': new Uint8Array(0),
  'same Buffer twice': ((b) => ({ a: b, b }))(Buffer.from(whole)), 'Buffers on one buffer': [Buffer.from(whole), new Uint8Array(whole), Buffer.from(whole)],
  'views on one buffer': [new Uint8Array(buffer), new Uint16Array(buffer, 4, 2), buffer], 'same view twice': ((v) => [v, v])(new Uint8Array(3)), 'part of a buffer': new Uint8Array(buffer, 3, 4),
  'resizable buffer': new Resizable(4, { maxByteLength: 64 }), 'view that follows': new Uint8Array(new Resizable(4, { maxByteLength: 64 })), 'view that does not': new Uint8Array(new Resizable(8, { maxByteLength: 64 }), 2, 3),
  'large bytes': { a: new Uint8Array(100_000).fill(3), b: new Float64Array(5000).fill(1.5) }, 'instance': new Point(), 'null prototype': Object.assign(Object.create(null) as object, { a: 1 }),
  'wide object': Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i}`, i])), 'wider object': Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, i])),
  'many objects': Array.from({ length: 500 }, (_, i) => ({ i, s: `${i}` })), 'many shapes': Array.from({ length: 300 }, (_, i) => [{ [`k${i % 150}`]: i }, { [`k${i % 150}`]: i }]),
  '999 levels': Array.from({ length: 998 }).reduce((inner: unknown) => [inner], []), 'long array': Array.from({ length: 70_000 }, (_, i) => i),
};

describe.each(LEVELS)('%s link', (level) => {
  it.each(Object.keys(CASES))('carries %s exactly, linked, standalone and as an argument', (name) => {
    const { send } = pair(level);
    const value = CASES[name];
    const reference = exactClone(value);
    for (let round = 0; round < 4; round++) {
      expect(difference(send(value), reference)).toBeUndefined();
      expect(difference(send(value, { standalone: true }), reference)).toBeUndefined();
      expect(difference(send([value, 1, value]), exactClone([value, 1, value]))).toBeUndefined();
    }
  });

  it('carries any cloneable value', () => {
    const { send } = pair(level);
    fc.assert(fc.property(cloneable, fc.boolean(), (value, standalone) => {
      expect(difference(send(value, { standalone }), exactClone(value))).toBeUndefined();
    }), { numRuns: 400 });
  });

  it('sends a Buffer as its own bytes and nothing of the pool', () => {
    const { send } = pair(level);
    const secret = Buffer.from('secret that stays here');
    const buffers = [Buffer.from('hello'), Buffer.alloc(6000, 1), new Uint8Array(secret.buffer, secret.byteOffset, 2), new Uint16Array(secret.buffer, 0, 1)];
    for (const value of buffers) {
      for (const arrived of [send(value), (send({ value, cycle }) as { value: Uint8Array }).value] as Uint8Array[]) {
        expect(Buffer.isBuffer(arrived)).toBe(Buffer.isBuffer(value));
        expect(arrived.buffer.byteLength).toBe(value.byteLength);
        expect(Buffer.compare(new Uint8Array(arrived.buffer), new Uint8Array(value.buffer, value.byteOffset, value.byteLength))).toBe(0);
      }
    }
  });

  it('does not see what the caller changes after encoding', () => {
    const { sender, carry, read } = pair(level);
    const args = [1, 'a'];
    const inline = { ...sender.encode(args) };
    args[0] = 2;
    expect(read(carry(inline))).toEqual([1, 'a']);
    const large = new Uint8Array(5000);
    const attached = { ...sender.encode({ large }) };
    large.fill(9);
    expect((read(carry(attached)) as { large: Uint8Array }).large[0]).toBe(0);
  });

  it('reads a getter once and sends own enumerable string keys only', () => {
    const { send } = pair(level);
    let reads = 0;
    const plain = { get x() { return ++reads; }, [Symbol('s')]: 1 };
    expect(send(plain)).toEqual({ x: 1 });
    class Holder { constructor() { Object.defineProperty(this, 'y', { enumerable: true, get: () => ++reads }); } }
    expect(send(new Holder())).toEqual({ y: 2 });
    expect(reads).toBe(2);
  });

  it('survives a getter that encodes through the same codec', () => {
    const { sender, send, read, carry } = pair(level);
    const inner: unknown[] = [];
    const value = (n: number) => ({ a: 'before', get b() { inner.push(carry(sender.encode({ inner: n }))); return n; }, c: { d: 'after' } });
    for (let n = 0; n < 4; n++) expect(send(value(n))).toEqual({ a: 'before', b: n, c: { d: 'after' } });
    expect(inner.map((wire) => read(wire as Wire))).toEqual([{ inner: 0 }, { inner: 1 }, { inner: 2 }, { inner: 3 }]);
  });

  it('does not send what somebody put on Object.prototype', () => {
    const { sender, carry, read } = pair(level);
    (Object.prototype as Record<string, unknown>)['polluted'] = 1;
    let wires: Wire[];
    try {
      wires = [{ a: 1 }, { a: { b: [1] } }].map((value) => carry(sender.encode(value)));
    } finally {
      delete (Object.prototype as Record<string, unknown>)['polluted'];
    }
    expect(wires.map(read).map((value) => Object.keys(value as object))).toEqual([['a'], ['a']]);
  });

  it.each([0, 1, 12, 15, 16, 31, 32, 63, 64, 85, 86, 255, 256, 4_000, 5_000, 65_535, 65_536])('carries texts of %i characters, ASCII or not, first, last and between others', (length) => {
    const { send } = pair(level);
    for (const unit of ['a', 'é', '€', '😀', '\uFEFF', '\0', '\x7f', '\x80']) {
      const text = unit.repeat(length / unit.length);
      for (const value of [[text], { text }, ['', text, ''], [1.5, text, 'between', -7, text, { [text.slice(0, 40)]: text }, 'a text that is longer than some', 300]]) expect(send(value)).toEqual(value);
    }
  });

  it.each([2, 8, 50])('carries holes, extra properties and getters of an array of %i', (length) => {
    const { send } = pair(level);
    const full = Array.from({ length }, (_, i) => i);
    const holed = [...full];
    delete holed[1];
    const named = Object.assign([...full], { name: 'x' });
    const symbolic = Object.assign([...full], { [Symbol('s')]: 1 });
    for (const value of [holed, { deep: [holed] }]) expect(send(value)).toStrictEqual(value);
    expect(1 in (send(holed) as unknown[])).toBe(false);
    for (const value of [named, Object.assign([...holed], { name: 'x' })]) expect(Object.entries(send({ value }) as object)).toStrictEqual([['value', value]]);
    expect(send(symbolic)).toStrictEqual(full);
    const counted = Object.defineProperty([...full], 0, { enumerable: true, get: () => 'got' });
    expect(send(counted)).toStrictEqual(['got', ...full.slice(1)]);
  });

  it.each([3, 39, 40, 41, 100])('sees the same object twice, and cycles, among %i containers', (count) => {
    const { send } = pair(level);
    const many: unknown[] = Array.from({ length: count }, (_, i) => (i % 2 ? [i] : { i }));
    expect(send(many)).toStrictEqual(many);
    for (const at of [0, 1, count >> 1, count - 1]) {
      const twice = send([...many, many[at]]) as unknown[];
      expect(twice[count]).toBe(twice[at]);
      const cyclic = many.map((one) => (Array.isArray(one) ? [...one] : { ...(one as object) }));
      (cyclic[at] as { self: unknown }).self = cyclic;
      const arrived = send(cyclic) as { self: unknown }[];
      expect(arrived[at]!.self).toBe(arrived);
    }
  });

  it('packs plain data and hands primitives through', () => {
    const { tagOf } = pair(level);
    expect([1, 'a', undefined, 5n, [1, 'b', null]].map(tagOf)).toEqual([Tag.INLINE, Tag.INLINE, Tag.INLINE, Tag.INLINE, Tag.INLINE]);
    expect([-0, { a: 1 }, [[1]], { d: new Date() }, 2n ** 70n].map(tagOf)).toEqual(Array(5).fill(Tag.PLAIN + ASCII));
    expect([{ a: 'é' }, ['x'.repeat(100), ['€']], { ключ: 1 }].map(tagOf)).toEqual(Array(3).fill(Tag.PLAIN));
    expect([[shared, shared], new Map(), new Error('x')].map(tagOf)).toEqual(Array(3).fill(Tag.GRAPH));
  });
});

const typed = fc.oneof(fc.uint8Array(), fc.float64Array(), fc.int16Array(), fc.bigInt64Array(), fc.uint8Array({ minLength: 4090, maxLength: 4100 }));
const leaf = fc.oneof(
  fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true, withSparseArray: true, withUnicodeString: true, withBoxedValues: true, withObjectString: true, withNullPrototype: true } as fc.ObjectConstraints),
  fc.string({ unit: 'binary' }), fc.bigInt(), fc.double(), fc.constant(-0), typed, fc.date({ noInvalidDate: false }), fc.constantFrom(/x/g, Object(1), sparse, extra, '\ud800'), fc.uint8Array().map((bytes) => bytes.buffer),
);
/** Containers whose parts are then tied together: shared parts and cycles. */
const cloneable = fc.tuple(fc.array(leaf, { maxLength: 6 }), fc.array(fc.tuple(fc.nat(), fc.nat(), fc.string()), { maxLength: 6 })).map(([leaves, ties]) => {
  const parts: unknown[] = [...leaves, {}, [], new Map(), new Set()];
  for (const [from, to, key] of ties) {
    const holder = parts[from % parts.length];
    const part = parts[to % parts.length];
    if (Array.isArray(holder)) holder.push(part);
    else if (holder instanceof Map) holder.set(key, part);
    else if (holder instanceof Set) holder.add(part);
    else if (typeof holder === 'object' && holder !== null && Object.getPrototypeOf(holder) === Object.prototype && key !== '__proto__') (holder as Record<string, unknown>)[key] = part;
  }
  return withoutProto(ties.length === 0 ? leaves : parts, new Set());
});

/** An own `__proto__` is dropped by design, so it cannot be compared. */
function withoutProto(value: unknown, seen: Set<unknown>): unknown {
  if (typeof value !== 'object' || value === null || seen.has(value) || ArrayBuffer.isView(value)) return value;
  seen.add(value);
  delete (value as Record<string, unknown>)['__proto__'];
  if (value instanceof Map) for (const [key, item] of value) { withoutProto(key, seen); withoutProto(item, seen); }
  else if (value instanceof Set) for (const item of value) withoutProto(item, seen);
  else for (const item of Object.values(value)) withoutProto(item, seen);
  return value;
}
