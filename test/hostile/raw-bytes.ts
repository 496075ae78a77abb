// Packs whatever is to be said, legal or not, into the bytes of a frame: the project's own packer refuses to lie.

/** Packed bytes that stand where a value would. */
export class Raw {
  readonly bytes: Buffer;
  constructor(...parts: readonly (number | string | Uint8Array)[]) {
    this.bytes = Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.of(part) : typeof part === 'string' ? Buffer.from(part) : part)));
  }
}

const UNDEFINED = Buffer.of(0xd4, 0, 0);

/** One value as msgpack; objects become maps, all of them. */
export function pack(value: unknown): Buffer {
  const parts: Buffer[] = [];
  write(value, parts);
  return Buffer.concat(parts);
}

function write(value: unknown, parts: Buffer[]): void {
  if (value instanceof Raw) parts.push(value.bytes);
  else if (value === undefined) parts.push(UNDEFINED);
  else if (value === null) parts.push(Buffer.of(0xc0));
  else if (typeof value === 'boolean') parts.push(Buffer.of(value ? 0xc3 : 0xc2));
  else if (typeof value === 'number') parts.push(packNumber(value));
  else if (typeof value === 'bigint') parts.push(packBigint(value));
  else if (typeof value === 'string') parts.push(packText(value));
  else if (value instanceof Uint8Array) parts.push(sized(0xc6, value.byteLength), Buffer.from(value.buffer, value.byteOffset, value.byteLength));
  else if (Array.isArray(value)) {
    parts.push(sized(0xdd, value.length));
    for (const item of value) write(item, parts);
  } else if (typeof value === 'object') {
    const entries = Object.entries(value);
    parts.push(sized(0xdf, entries.length));
    for (const [key, item] of entries) {
      parts.push(packText(key));
      write(item, parts);
    }
  } else throw new TypeError(`no bytes for a ${typeof value}`);
}

/** A header with a length of 32 bits, which may claim anything. */
export function sized(code: number, length: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes[0] = code;
  bytes.writeUInt32BE(length >>> 0, 1);
  return bytes;
}

function packNumber(value: number): Buffer {
  if (Number.isInteger(value) && value >= 0 && value < 0x40) return Buffer.of(value);
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) return sized(0xce, value);
  const bytes = Buffer.alloc(9);
  bytes[0] = 0xcb;
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

function packBigint(value: bigint): Buffer {
  if (value >= -(2n ** 63n) && value < 2n ** 63n) {
    const bytes = Buffer.alloc(9);
    bytes[0] = 0xd3;
    bytes.writeBigInt64BE(value, 1);
    return bytes;
  }
  const text = Buffer.from(value.toString(16));
  return Buffer.concat([sized(0xc9, text.length), Buffer.of(BIGINT), text]);
}

/** The extension that carries a large bigint as hexadecimal text. */
export const BIGINT = 4;

function packText(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([sized(0xdb, bytes.length), bytes]);
}

const u32 = (...numbers: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * numbers.length);
  numbers.forEach((number, index) => bytes.writeUInt32LE(number >>> 0, 4 * index));
  return bytes;
};
export { u32 };

/** A batch as the byte transports carry it, without the length in front of it. */
export const bodyOf = (packed: Uint8Array, attachments: readonly Uint8Array[] = []): Buffer =>
  Buffer.concat([u32(packed.length, attachments.length, ...attachments.map(({ length }) => length)), packed, ...attachments]);

/** `times` copies of some bytes. */
export const repeat = (bytes: Uint8Array, times: number): Buffer => Buffer.alloc(bytes.length * times, bytes);
