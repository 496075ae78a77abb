// Packs whatever is to be said, legal or not, into the bytes of a frame: the project's own packer refuses to lie.

/** Packed bytes that stand where a value would. */
export class Raw {
  readonly bytes: Buffer;
  constructor(...parts: readonly (number | string | Uint8Array)[]) {
    this.bytes = Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.of(part) : typeof part === 'string' ? Buffer.from(part) : part)));
  }
}

/** One value as msgpack; objects become maps, all of them. */
export function pack(value: unknown): Buffer {
  const out = new Output();
  out.write(value);
  return out.taken();
}

/** Grows as it is written to: tables of a hundred thousand nodes are packed here. */
class Output {
  #bytes = Buffer.allocUnsafe(4_096);
  #at = 0;

  taken(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#at));
  }

  write(value: unknown): void {
    if (value instanceof Raw) this.#append(value.bytes);
    else if (value === undefined) this.#append(UNDEFINED);
    else if (value === null || typeof value === 'boolean') this.#byte(value === null ? 0xc0 : value ? 0xc3 : 0xc2);
    else if (typeof value === 'number') this.#number(value);
    else if (typeof value === 'string') this.#text(value);
    else if (typeof value === 'bigint') this.#append(packBigint(value));
    else if (value instanceof Uint8Array) {
      this.#sized(0xc6, value.byteLength);
      this.#append(value);
    } else if (Array.isArray(value)) {
      this.#sized(0xdd, value.length);
      for (const item of value) this.write(item);
    } else if (typeof value === 'object') {
      const entries = Object.entries(value);
      this.#sized(0xdf, entries.length);
      for (const [key, item] of entries) {
        this.#text(key);
        this.write(item);
      }
    } else throw new TypeError(`no bytes for a ${typeof value}`);
  }

  #room(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + count));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }

  #byte(byte: number): void {
    this.#room(1);
    this.#bytes[this.#at++] = byte;
  }

  #append(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #sized(code: number, length: number): void {
    this.#room(5);
    this.#bytes[this.#at] = code;
    this.#bytes.writeUInt32BE(length, this.#at + 1);
    this.#at += 5;
  }

  #text(text: string): void {
    const length = Buffer.byteLength(text);
    this.#sized(0xdb, length);
    this.#room(length);
    this.#bytes.write(text, this.#at);
    this.#at += length;
  }

  #number(value: number): void {
    const whole = Number.isInteger(value) && value >= 0 && !Object.is(value, -0);
    if (whole && value < 0x40) this.#byte(value);
    else if (whole && value < 2 ** 32) this.#sized(0xce, value);
    else {
      this.#room(9);
      this.#bytes[this.#at] = 0xcb;
      this.#bytes.writeDoubleBE(value, this.#at + 1);
      this.#at += 9;
    }
  }
}

const UNDEFINED = Buffer.of(0xd4, 0, 0);

/** A header with a length of 32 bits, which may claim anything. */
export function sized(code: number, length: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes[0] = code;
  bytes.writeUInt32BE(length >>> 0, 1);
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

export const u32 = (...numbers: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * numbers.length);
  numbers.forEach((number, index) => bytes.writeUInt32LE(number >>> 0, 4 * index));
  return bytes;
};

/** A batch as the byte transports carry it, without the length in front of it. */
export const bodyOf = (packed: Uint8Array, attachments: readonly Uint8Array[] = []): Buffer =>
  Buffer.concat([u32(packed.length, attachments.length, ...attachments.map(({ length }) => length)), packed, ...attachments]);

/** `times` copies of some bytes. */
export const repeat = (bytes: Uint8Array, times: number): Buffer => Buffer.alloc(bytes.length * times, bytes);
