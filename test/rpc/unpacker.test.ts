// The reader of packed values keeps what it read last only while that is small.
import { describe, expect, it } from 'vitest';
import { Unpacker } from '../../dist/rpc/unpacker.js';
import { lives } from '../helpers/garbage.js';

/** A packed string of so many characters, in memory of its own. */
function packedText(length: number): Buffer {
  const packed = Buffer.allocUnsafeSlow(5 + length).fill('x');
  packed[0] = 0xdb;
  packed.writeUInt32BE(length, 1);
  return packed;
}

describe.each(['link', 'single', 'batch'] as const)('%s', (kind) => {
  it('lets go of a large value with its last byte', async () => {
    const unpacker = new Unpacker(kind);
    const read = () => {
      const packed = packedText(1024 * 1024);
      expect(unpacker.unpack(packed, false, Infinity)).toHaveLength(1024 * 1024);
      return new WeakRef(packed.buffer);
    };
    expect(await lives(read())).toBe(false);
    expect(unpacker.unpack(packedText(3), false, Infinity)).toBe('xxx');
  });

  it('lets go of a large value that is malformed', async () => {
    const unpacker = new Unpacker(kind);
    const read = () => {
      const packed = packedText(1024 * 1024);
      expect(() => unpacker.unpack(packed.subarray(0, packed.length - 1), false, Infinity)).toThrow(/malformed/);
      return new WeakRef(packed.buffer);
    };
    expect(await lives(read())).toBe(false);
    expect(unpacker.unpack(packedText(3), false, Infinity)).toBe('xxx');
  });
});
