// The reader of packed values keeps what it read last only while that is small.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { Unpacker } from '../../dist/rpc/unpacker.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** A packed string of so many characters, in memory of its own. */
function packedText(length: number): Buffer {
  const packed = Buffer.allocUnsafeSlow(5 + length).fill('x');
  packed[0] = 0xdb;
  packed.writeUInt32BE(length, 1);
  return packed;
}

async function lives(source: WeakRef<object>): Promise<boolean> {
  // A WeakRef that was just made holds its target for the rest of the turn.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  return source.deref() !== undefined;
}

describe.each(['link', 'single', 'batch'] as const)('%s', (kind) => {
  it('lets go of a large value with its last byte', async () => {
    const unpacker = new Unpacker(kind);
    const read = () => {
      const packed = packedText(1024 * 1024);
      expect(unpacker.unpack(packed)).toHaveLength(1024 * 1024);
      return new WeakRef(packed.buffer);
    };
    expect(await lives(read())).toBe(false);
    expect(unpacker.unpack(packedText(3))).toBe('xxx');
  });

  it('lets go of a large value that is malformed', async () => {
    const unpacker = new Unpacker(kind);
    const read = () => {
      const packed = packedText(1024 * 1024);
      expect(() => unpacker.unpack(packed.subarray(0, packed.length - 1))).toThrow(/malformed/);
      return new WeakRef(packed.buffer);
    };
    expect(await lives(read())).toBe(false);
    expect(unpacker.unpack(packedText(3))).toBe('xxx');
  });
});
