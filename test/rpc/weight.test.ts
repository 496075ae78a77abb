// Limits count what a value takes, not only its bytes, and both sides count alike.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameTooLargeError, ProtocolError } from '../../src/errors.js';
import { ValueCodec } from '../../src/rpc/codec.js';
import { Node } from '../../src/rpc/graph-table.js';
import { PlainWriter } from '../../src/rpc/plain-writer.js';
import { Shapes } from '../../src/rpc/shapes.js';
import { Tag } from '../../src/rpc/tag.js';
import { MAX_DEFINITIONS, weigh } from '../../src/rpc/weight.js';

const MIB = 1024 * 1024;
const codec = (maxFrame = 4 * MIB) => new ValueCodec({ level: 'bytes', maxFrame });

it('who reads never counts more than who writes', () => {
  const leaf = fc.oneof(fc.double(), fc.integer(), fc.bigInt(), fc.string({ unit: 'binary', maxLength: 300 }), fc.boolean(), fc.constantFrom(undefined, null), fc.date(), fc.uint8Array({ maxLength: 300 }));
  const value = fc.letrec((tie) => ({ any: fc.oneof({ depthSize: 'medium' }, leaf, fc.array(tie('any')), fc.dictionary(fc.string(), tie('any')), fc.record({ a: tie('any'), b: leaf })) })).any;
  const shapes = new Shapes();
  fc.assert(fc.property(value, (given) => {
    const writer = new PlainWriter(1e8, 1000);
    if (!writer.pack(given, shapes)) return;
    expect(weigh(writer.bytes())).toBeLessThanOrEqual(writer.weight + 16);
  }), { numRuns: 2_000 });
});

describe('a frame that stands for more than it says', () => {
  const filled = (bytes: number[], size: number) => {
    const packed = Buffer.alloc(5 + size);
    packed.writeUInt8(0xdd, 0);
    packed.writeUInt32BE(Math.floor(size / bytes.length), 1);
    for (let at = 5; at + bytes.length <= packed.length; at += bytes.length) packed.set(bytes, at);
    return packed;
  };
  it.each<[string, number[]]>([['empty maps', [0x80]], ['empty lists', [0x90]], ['empty bytes', [0xc7, 0, 1]], ['dates', [0xd7, 2, 0, 0, 0, 0, 0, 0, 0, 0]], ['empty records', [0xd4, 0x72, 0x40, 0x90]]])('is refused before anything is made of it: %s', (_, bytes) => {
    for (const tag of [Tag.PLAIN, Tag.STANDALONE, Tag.GRAPH]) {
      const before = process.memoryUsage().heapUsed;
      const packed = filled(bytes, 3 * MIB);
      expect(() => codec().decode(tag, packed)).toThrow(ProtocolError);
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(16 * MIB);
    }
  });

  it('is refused as a table of Maps, and of buffers that reserve more', () => {
    const writer = new PlainWriter(1e8, 100);
    const pack = (table: unknown) => (writer.pack(table, undefined, 'table'), Uint8Array.from(writer.bytes()));
    expect(() => codec().decode(Tag.GRAPH, pack([[0], ...Array.from({ length: 70_000 }, () => [Node.MAP])]))).toThrow(/more memory/);
    expect(() => codec().decode(Tag.GRAPH, pack([[0], ...Array.from({ length: 8 }, () => [Node.BUFFER, new Uint8Array(1), MIB])]))).toThrow(/more memory/);
  });

  it('that defines records without end is refused', () => {
    const definition = [0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 1];
    expect(() => weigh(Buffer.from(Array.from({ length: MAX_DEFINITIONS + 1 }, () => definition).flat()))).toThrow(/records/);
  });
});

it('a value of too many objects is refused where it is sent', () => {
  expect(() => codec(MIB).encode(Array.from({ length: 80_000 }, () => ({})))).toThrow(FrameTooLargeError);
  expect(() => codec(MIB).encode(Array.from({ length: 20_000 }, () => ({})))).not.toThrow();
});

it('a value of very many shapes crosses', () => {
  const sender = codec(64 * MIB);
  const value = Array.from({ length: 5_000 }, (_, i) => ({ [`a${i % 1_000}`]: i, [`b${i % 1_000}`]: i }));
  const { tag, payload } = sender.encode(value);
  expect(codec(64 * MIB).decode(tag, payload)).toEqual(value);
});
