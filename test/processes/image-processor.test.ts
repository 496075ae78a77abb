// The image processor on pictures whose right result is known, through a thread.
import { crc32, deflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProcessManager, type Remote } from '#mimas/index.js';
import type ImageProcessor from '../../processes/image-processor.process.js';
import type { Image } from '../../processes/png.js';
import { root } from '../helpers/compile.js';

const pm = createProcessManager();
let images: Remote<ImageProcessor>;
beforeAll(async () => {
  images = await pm.spawn<ImageProcessor>(`${root}/processes/image-processor.process.ts`);
});
afterAll(() => pm.shutdown());

const filled = (width: number, height: number, pixel: (x: number, y: number) => number[]): Image => ({
  width,
  height,
  data: Uint8Array.from({ length: height }, (_, y) => y).reduce((data, y) => {
    for (let x = 0; x < width; x++) data.set(pixel(x, y), (y * width + x) * 4);
    return data;
  }, new Uint8Array(width * height * 4)),
});
const at = (image: Image, x: number, y: number) => [...image.data.subarray((y * image.width + x) * 4, (y * image.width + x) * 4 + 4)];
const noise = filled(37, 23, (x, y) => [(x * 7919 + y * 104729) % 256, (x * 31 + y) % 256, (x ^ y) & 255, 255 - x]);

describe('image processor', () => {
  it('weighs colours for grey as BT.709 does, and keeps alpha', async () => {
    const grey = await images.grayscale(filled(3, 1, (x) => [[255, 0, 0, 9], [0, 255, 0, 9], [0, 0, 255, 9]][x]!));
    expect([at(grey, 0, 0), at(grey, 1, 0), at(grey, 2, 0)]).toEqual([[54, 54, 54, 9], [182, 182, 182, 9], [18, 18, 18, 9]]);
  });

  it('blurs a point into a square of its mean', async () => {
    const point = filled(5, 5, (x, y) => (x === 2 && y === 2 ? [90, 180, 45, 255] : [0, 0, 0, 255]));
    const blurred = await images.blur(point, 1);
    for (let y = 0; y < 5; y++) for (let x = 0; x < 5; x++) expect(at(blurred, x, y)).toEqual(x >= 1 && x <= 3 && y >= 1 && y <= 3 ? [10, 20, 5, 255] : [0, 0, 0, 255]);
  });

  it('leaves an even picture as it is, and radius 0 any picture', async () => {
    const even = filled(6, 4, () => [10, 20, 30, 255]);
    expect(await images.blur(even, 3)).toEqual(even);
    expect(await images.blur(noise, 0)).toEqual(noise);
  });

  it('resizes: an even picture stays even, a gradient stays a gradient', async () => {
    const small = await images.resize(filled(64, 8, (x) => [x * 4, 0, 0, 255]), 16, 2);
    expect([small.width, small.height, small.data.length]).toEqual([16, 2, 16 * 2 * 4]);
    const reds = Array.from({ length: 16 }, (_, x) => at(small, x, 0)[0]!);
    expect(reds.every((red, i) => i === 0 || red - reds[i - 1]! === 16)).toBe(true);
    expect(await images.resize(noise, noise.width, noise.height)).toEqual(noise);
  });

  it('counts every pixel once in each histogram', async () => {
    const { red, green, blue, luminance } = await images.histogram(filled(10, 10, (x) => [x < 3 ? 0 : 255, 7, 8, 255]));
    expect([red[0], red[255], green[7], blue[8]]).toEqual([30, 70, 100, 100]);
    expect(luminance.reduce((sum, n) => sum + n, 0)).toBe(100);
  });

  it('round-trips PNG, with the signature and checksums of the format', async () => {
    const png = Buffer.from(await images.encode(noise));
    expect(png.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n');
    expect(await images.decode(png)).toEqual(noise);
  });

  it('reads grey PNGs with each of the five row filters', async () => {
    // 3 × 5, one filter a row, all meaning the same rows of 10 20 30.
    const rows = [[0, 10, 20, 30], [1, 10, 10, 10], [2, 0, 0, 0], [3, 5, 5, 5], [4, 0, 0, 0]];
    const image = await images.decode(pngOf(3, 5, 0, Buffer.from(rows.flat())));
    for (let y = 0; y < 5; y++) expect([0, 1, 2].map((x) => at(image, x, y)[0])).toEqual([10, 20, 30]);
  });

  it('refuses what is no PNG, damaged, or of another kind', async () => {
    await expect(images.decode(Buffer.from('GIF89a, and more of it'))).rejects.toThrow(RangeError);
    const damaged = Buffer.from(await images.encode(noise));
    damaged[60]! ^= 1;
    await expect(images.decode(damaged)).rejects.toThrow(/wrong checksum of IDAT/);
    await expect(images.decode(Buffer.from(await images.encode(noise)).subarray(0, 100))).rejects.toThrow(/cut off/);
    await expect(images.decode(pngOf(1, 1, 6, Buffer.alloc(9), 16))).rejects.toThrow(/16 bits/);
    await expect(images.grayscale({ width: 2, height: 2, data: new Uint8Array(3) })).rejects.toThrow(/need 16 bytes, not 3/);
  });

  it('moves the argument when it is told to', async () => {
    const image = filled(128, 128, () => [1, 2, 3, 4]);
    const expected = structuredClone(image);
    const result = await images.$with({ transfer: [image.data.buffer as ArrayBuffer] }).blur(image, 0);
    expect(image.data.length).toBe(0);
    expect(result).toEqual(expected);
  });
});

/** A PNG written by hand, so that decoding is not only tested against our own encoder. */
function pngOf(width: number, height: number, colour: number, rows: Buffer, depth = 8): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colour], 8);
  const chunk = (type: string, body: Buffer) => {
    const named = Buffer.concat([Buffer.from(type), body]);
    const out = Buffer.alloc(8 + named.length);
    out.writeUInt32BE(body.length, 0);
    out.set(named, 4);
    out.writeUInt32BE(crc32(named), 4 + named.length);
    return out;
  };
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
}
