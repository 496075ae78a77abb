// As much of PNG as an image processor needs: 8 bits a channel, no interlacing. Writes RGBA; reads grey, RGB, palette and RGBA.
import * as zlib from 'node:zlib';

/** Pixels: four bytes each (red, green, blue, alpha), row by row from the top left. */
export interface Image {
  width: number;
  height: number;
  data: Uint8Array;
}

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** Colour type to samples a pixel (PNG specification, table 11.1). */
const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
/** Larger images are refused before memory is taken for them. */
const MOST_PIXELS = 100_000_000;

export function encodePng({ width, height, data }: Image): Uint8Array {
  const stride = width * 4;
  const raw = Buffer.alloc((stride + 1) * height);
  for (let y = 0; y < height; y++) {
    // Filter 1 (difference to the pixel on the left) suits most pictures.
    const at = y * (stride + 1);
    raw[at] = 1;
    for (let x = 0; x < stride; x++) raw[at + 1 + x] = data[y * stride + x]! - (x >= 4 ? data[y * stride + x - 4]! : 0);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 6, 0, 0, 0], 8);
  return Buffer.concat([SIGNATURE, chunk('IHDR', header), chunk('IDAT', zlib.deflateSync(raw)), chunk('IEND', Buffer.alloc(0))]);
}

/** @throws RangeError for what is no PNG, or one of a kind that is not read here */
export function decodePng(bytes: Uint8Array): Image {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!file.subarray(0, 8).equals(SIGNATURE)) throw new RangeError('this is not a PNG');
  const parts: Buffer[] = [];
  let header: Buffer | undefined;
  let palette: Buffer | undefined;
  let alphas: Buffer | undefined;
  for (let at = 8; at + 12 <= file.length; ) {
    const length = file.readUInt32BE(at);
    const type = file.toString('latin1', at + 4, at + 8);
    const body = file.subarray(at + 8, at + 8 + length);
    if (body.length < length || at + 12 + length > file.length) throw new RangeError('this PNG is cut off');
    if (file.readUInt32BE(at + 8 + length) !== crc32(file.subarray(at + 4, at + 8 + length))) throw new RangeError(`this PNG is damaged: wrong checksum of ${type}`);
    if (type === 'IHDR') header = body;
    else if (type === 'PLTE') palette = body;
    else if (type === 'tRNS') alphas = body;
    else if (type === 'IDAT') parts.push(body);
    at += 12 + length;
  }
  if (!header) throw new RangeError('this PNG has no header');
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const [depth, colour, , , interlaced] = [...header.subarray(8, 13)] as [number, number, number, number, number];
  const samples = SAMPLES[colour];
  if (depth !== 8 || samples === undefined || interlaced !== 0) throw new RangeError(`PNGs of colour type ${colour} with ${depth} bits${interlaced ? ', interlaced,' : ''} are not read here`);
  if (colour === 3 && !palette) throw new RangeError('this PNG lacks its palette');
  if (width * height > MOST_PIXELS) throw new RangeError(`${width} × ${height} pixels are more than ${MOST_PIXELS}`);
  const stride = width * samples;
  const raw = zlib.inflateSync(Buffer.concat(parts), { maxOutputLength: (stride + 1) * height + 1 });
  if (raw.length < (stride + 1) * height) throw new RangeError('this PNG is cut off');
  const rows = unfilter(raw, stride, height, samples);
  const data = new Uint8Array(width * height * 4);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const from = pixel * samples;
    const to = pixel * 4;
    const first = rows[from]!;
    if (colour === 3) data.set([palette![first * 3]!, palette![first * 3 + 1]!, palette![first * 3 + 2]!, alphas?.[first] ?? 255], to);
    else if (samples <= 2) data.set([first, first, first, samples === 2 ? rows[from + 1]! : 255], to);
    else data.set([first, rows[from + 1]!, rows[from + 2]!, samples === 4 ? rows[from + 3]! : 255], to);
  }
  return { width, height, data };
}

/** Undoes the filters of the rows (PNG specification, section 9). */
function unfilter(raw: Buffer, stride: number, height: number, step: number): Uint8Array {
  const out = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)]!;
    if (filter > 4) throw new RangeError(`this PNG is damaged: there is no filter ${filter}`);
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x;
      const left = x >= step ? out[at - step]! : 0;
      const up = y > 0 ? out[at - stride]! : 0;
      const corner = x >= step && y > 0 ? out[at - stride - step]! : 0;
      const guess = filter === 0 ? 0 : filter === 1 ? left : filter === 2 ? up : filter === 3 ? (left + up) >> 1 : paeth(left, up, corner);
      out[at] = raw[y * (stride + 1) + 1 + x]! + guess;
    }
  }
  return out;
}

function paeth(left: number, up: number, corner: number): number {
  const estimate = left + up - corner;
  const [toLeft, toUp, toCorner] = [Math.abs(estimate - left), Math.abs(estimate - up), Math.abs(estimate - corner)];
  return toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
}

function chunk(type: string, body: Buffer): Buffer {
  const out = Buffer.alloc(12 + body.length);
  out.writeUInt32BE(body.length, 0);
  out.write(type, 4, 'latin1');
  out.set(body, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + body.length)), 8 + body.length);
  return out;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

/** Node has it from 20.15 and 22.2 on. */
function crc32(bytes: Uint8Array): number {
  if (typeof zlib.crc32 === 'function') return zlib.crc32(bytes);
  let crc = -1;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8);
  return (crc ^ -1) >>> 0;
}
