// Whatever bytes arrive, decoding answers a value or a ProtocolError: no hang, no pollution, no allocation by a claim.
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/errors.js';
import { packBatch, unpackBatch } from '../../src/rpc/batch-codec.js';
import { PlainWriter } from '../../src/rpc/plain-writer.js';
import { ASCII, Tag, ValueCodec } from '../../src/rpc/codec.js';
import { pair } from './pair.js';

const codec = () => new ValueCodec({ level: 'bytes', maxFrame: 1_000_000 });
const attempt = (run: () => unknown): unknown => {
  try {
    return run();
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
    return error;
  }
};
const refused = (tag: number, payload: unknown, attachments?: unknown[]) => expect(() => codec().decode(tag, payload, attachments)).toThrow(ProtocolError);
const pack = (table: unknown): Uint8Array => {
  const writer = new PlainWriter(1e6, 100);
  writer.pack(table, undefined, 'table');
  return Uint8Array.from(writer.bytes());
};
const graph = (table: unknown, attachments?: unknown[]) => codec().decode(Tag.GRAPH, pack(table), attachments);

afterEach(() => {
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

const VALID = [{ a: [1, 'x', { b: 2n }] }, new Map<unknown, unknown>([[1, new Set([new Date()])]]), [new Uint8Array(5000), /x/g], new TypeError('x', { cause: { a: 1 } }), Object.assign([1], { x: [new Float64Array(3)] })];

describe('hostile bytes', () => {
  it('random', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: -1, max: 12 }), (bytes, tag) => {
      attempt(() => codec().decode(tag, bytes, [bytes]));
      attempt(() => unpackBatch(bytes));
    }), { numRuns: 3000 });
  });

  it('valid frames with bytes changed, dropped or cut', () => {
    const { sender } = pair('bytes');
    fc.assert(fc.property(fc.constantFrom(...VALID), fc.boolean(), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }), fc.nat(), (value, standalone, changes, cut) => {
      const { tag, payload, attachments } = sender.encode(value, { standalone });
      const bytes = Uint8Array.from(payload as Uint8Array);
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      attempt(() => codec().decode(tag, bytes, attachments));
      attempt(() => codec().decode(tag, bytes.subarray(0, cut % bytes.length), attachments));
      const frame = Buffer.concat(packBatch([tag, bytes, [1, 2]], [bytes]));
      for (const [at, byte] of changes) frame[at % frame.length] = byte;
      attempt(() => unpackBatch(frame));
    }), { numRuns: 2000 });
  });

  it('tables of random nodes', () => {
    const part = fc.oneof(fc.nat(20), fc.string(), fc.constant(undefined), fc.constant(null), fc.tuple(fc.nat(5)), fc.uint8Array({ maxLength: 4 }), fc.constant('__proto__'), fc.double());
    fc.assert(fc.property(fc.array(fc.oneof(part, fc.array(part, { maxLength: 12 })), { maxLength: 8 }), (table) => {
      attempt(() => graph(table, [new Uint8Array(3)]));
    }), { numRuns: 3000 });
  });

  it.each<[string, number[]]>([
    ['an array of four billion', [0xdd, 255, 255, 255, 255]], ['a map of four billion', [0xdf, 255, 255, 255, 255]], ['a string of four billion', [0xdb, 255, 255, 255, 255, 1]],
    ['bytes of four billion', [0xc6, 255, 255, 255, 255, 1]], ['an unknown extension', [0xc7, 1, 99, 0]], ['the Error extension', [0xd4, 0x65, 0, 0x93, 0xa1, 65, 0xa1, 65, 0xc0]], ['the RegExp extension', [0xd4, 0x78, 0, 0x92, 0xa1, 65, 0xa0]],
    ['a reference extension', [0xd6, 0x70, 0, 0, 0, 1]], ['a typed array extension', [0xc7, 2, 0x74, 1, 1]], ['the reserved byte', [0x91, 0xc1]], ['deep nesting', Array(300_000).fill(0x91) as number[]], ['nothing', []], ['two values', [1, 2]],
    ['a malformed bigint', [0xc7, 1, 4, 0x7a]], ['a short date', [0xc7, 1, 2, 1]],
  ])('refuses %s', (_, bytes) => {
    for (const tag of [Tag.PLAIN, Tag.PLAIN + ASCII, Tag.STANDALONE, Tag.STANDALONE + ASCII, Tag.GRAPH]) refused(tag, Uint8Array.from(bytes));
  });

  it('keys named __proto__ set no prototype', () => {
    const map = Uint8Array.from([0x81, 0xa9, ...Buffer.from('__proto__'), 0x81, 0xa8, ...Buffer.from('polluted'), 1]);
    const record = Uint8Array.from([0xd4, 0x72, 0x40, 0x91, 0xa9, ...Buffer.from('__proto__'), 0x81, 0xa8, ...Buffer.from('polluted'), 1]);
    for (const bytes of [map, record]) {
      const value = attempt(() => codec().decode(Tag.PLAIN, bytes)) as object;
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
      expect((value as Record<string, unknown>)['polluted']).toBeUndefined();
    }
    const object = graph([[0], [0, '__proto__', [1], 'a', 1], [0, 'polluted', 1]]) as object;
    expect(Object.keys(object)).toEqual(['a']);
    const error = graph([[0], [11, 4, 'X', 'X', 'm', 's', 0, undefined, undefined, '__proto__', [1]], [0, 'polluted', 1]]) as object;
    expect((error as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('refuses what no sender makes of a table', () => {
    for (const table of [5, [], [[0]], [[0], 5], [[0], [99]], [[-1], [0]], [[0.5], [0]], [[0, 0], [0]], [[0], [10, 2, [0], 0, 1]], [[0], [8, 'x']], [[0], [9, 7]], [[0], [12, 0]], [[0], [13, 'function', 1]],
      [[0], [6, '(', '']], [[0], [0, 5, 5]], [[1], [8, new Uint8Array(4)], [10, 2, [0], 0, 1e9]], [[1], [8, new Uint8Array(4)], [10, 50, [0], 0, 1]], [[0], [2, -1]], [[0], [2, 3, 7, 1]], [[0], [8, new Uint8Array(1), 1e15]], [{}], [[0], [11, 0]]]) {
      expect(() => graph(table, [new Uint8Array(1)]), JSON.stringify(table)).toThrow(ProtocolError);
    }
  });

  it('refuses lists of more places than whoever joins or walks them gets through soon, one by one or together', () => {
    for (const places of [600_000, 30_000_000, 2 ** 32 - 1]) expect(() => graph([[0], [2, places]])).toThrow(/more memory than the link carries/);
    expect(() => graph([[0], [1, ...Array.from({ length: 60 }, (_, i) => [i + 1])], ...Array.from({ length: 60 }, () => [2, 10_000])])).toThrow(/more memory than the link carries/);
  });

  it('refuses inline payloads that are not primitives', () => {
    for (const payload of [{}, [{}], [[1]], new Uint8Array(1), Array(9).fill(1), [-0], () => 1]) refused(Tag.INLINE, payload);
    refused(7, 1);
    refused(Tag.PLAIN, 5);
  });

  it('lets no decoded bytes look at the frame', () => {
    const { sender, receiver } = pair('bytes');
    const { tag, payload, attachments } = sender.encode([{ small: new Uint8Array([1]) }, new Map([[1, new Uint8Array(5000)]])]);
    const { entries, attachments: arrived } = unpackBatch(Buffer.concat(packBatch([payload], attachments as Uint8Array[])));
    const [first, second] = receiver.decode(tag, entries[0], arrived) as [{ small: Uint8Array }, Map<number, Uint8Array>];
    expect(first.small.buffer.byteLength).toBe(1);
    expect(second.get(1)!.buffer.byteLength).toBe(5000);
  });
});
