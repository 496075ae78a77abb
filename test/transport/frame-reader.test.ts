// Frames come out as they went in, however the stream was cut up, at a cost that grows with their bytes alone.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader } from '#mimas/transport/frame-reader.js';

const MIB = 1024 * 1024;
const framed = (body: Buffer) => {
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32LE(body.length);
  return Buffer.concat([prefix, body]);
};
function reader(limit = MIB) {
  const frames: Buffer[] = [];
  const tooLarge: number[] = [];
  return { frames, tooLarge, reader: new FrameReader(limit, { frame: (bytes) => void frames.push(bytes), tooLarge: (length) => void tooLarge.push(length) }) };
}
/** Cuts `bytes` at the places given, in turn. */
function* cut(bytes: Buffer, sizes: readonly number[]) {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

describe('a reader of frames', () => {
  it('gives the frames that went in, wherever the stream is cut', () => {
    const body = fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 90_000 }).map((size) => new Uint8Array(size).map((_, i) => i % 253)));
    const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1_000, max: 70_000 })), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(body, { maxLength: 6 }), sizes, (bodies, pieces) => {
        const made = reader();
        for (const chunk of cut(Buffer.concat(bodies.map((one) => framed(Buffer.from(one)))), pieces)) made.reader.push(Buffer.from(chunk));
        expect(made.frames.map((frame) => frame.toString('latin1'))).toEqual(bodies.map((one) => Buffer.from(one).toString('latin1')));
      }),
      { numRuns: 200 },
    );
  });

  it('takes a frame in 250,000 pieces in about the time of its bytes', () => {
    const made = reader(8 * MIB);
    const bytes = framed(Buffer.alloc(4 * MIB, 7));
    const begun = process.cpuUsage();
    for (const chunk of cut(bytes, [16])) made.reader.push(chunk);
    const { user, system } = process.cpuUsage(begun);
    expect(made.frames.map(({ length }) => length)).toEqual([4 * MIB]);
    // A list of as many buffers, taken from the front, takes many times that.
    expect((user + system) / 1e6).toBeLessThan(3);
  });

  it('allocates nothing for what was only announced', () => {
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 100 }, () => reader(64 * MIB));
    for (const { reader: one } of readers) {
      one.push(Buffer.of(0, 0, 0, 4));
      for (let i = 0; i < 100; i++) one.push(Buffer.of(i));
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 * MIB);
  });

  it('stops at a frame above the limit, and takes an empty one for nothing', () => {
    const made = reader(100);
    made.reader.push(Buffer.concat([framed(Buffer.alloc(0)), framed(Buffer.from('one')), framed(Buffer.alloc(0)), Buffer.of(101, 0, 0, 0), framed(Buffer.from('two'))]));
    made.reader.push(framed(Buffer.from('three')));
    expect([made.frames.map(String), made.tooLarge]).toEqual([['one'], [101]]);
  });
});
