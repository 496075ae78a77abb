// What a value takes of this side's memory, by the size that limits count: bytes, and something for each object that the bytes stand for.
// A byte can stand for an object of a hundred bytes; limits that counted bytes alone would let a peer fill this side's memory with one frame.
// Invariant: who writes and who reads weigh alike, so that what one side sends the other takes.
import { ProtocolError } from '../errors.js';
import { Tag } from './tag.js';

/** Bytes that a list, an object, a bigint or a date counts for beside its own. */
export const OBJECT_BYTES = 16;
/** The same for small binary data, a Map, a Set, an error, a live reference: what has parts of its own. */
export const HEAVY_BYTES = 64;
/** Record definitions in one value: each makes the reader compile something. */
export const MAX_DEFINITIONS = 256;
/** Up to this size packed bytes are not looked through: what they can stand for is little. */
const LIGHT = 16_384;

/** Bytes of a payload with its attachments as they came: a lower bound of its weight. Asked once a call. */
export function bytesOf(tag: unknown, payload: unknown, attachments: readonly unknown[] | undefined): number {
  let bytes = 0;
  if (tag === Tag.INLINE) {
    if (typeof payload === 'string') bytes = payload.length;
    else if (Array.isArray(payload)) for (let i = 0; i < payload.length; i++) if (typeof payload[i] === 'string') bytes += (payload[i] as string).length;
  } else if (payload instanceof Uint8Array) bytes = payload.byteLength;
  if (attachments) for (const item of attachments) bytes += (item as { byteLength?: number } | null)?.byteLength ?? 0;
  return bytes;
}

/** Refuses packed bytes that stand for more than `limit`, before anything is made of them. @throws ProtocolError */
export function checkWeight(packed: Uint8Array, limit: number): void {
  if (packed.byteLength > LIGHT && weigh(packed) > limit) throw new ProtocolError(`a value that takes more than ${limit} bytes when it is unpacked`);
}

/**
 * The weight of packed bytes: one walk over the tokens of MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md) and of
 * records (0x40 to 0x7f, defined by fixext 1 of type 0x72). Bytes that are cut short weigh what is there. @throws ProtocolError
 */
export function weigh(packed: Uint8Array): number {
  const { length } = packed;
  let weight = length;
  let definitions = 0;
  for (let at = 0; at < length; ) {
    const token = packed[at++]!;
    if (token < 0x40 || token >= 0xe0) continue;
    if (token < 0xa0) weight += OBJECT_BYTES;
    else if (token < 0xc0) at += token - 0xa0;
    else {
      switch (token) {
        case 0xc4: weight += HEAVY_BYTES; at += 1 + (packed[at] ?? 0); break;
        case 0xc5: weight += HEAVY_BYTES; at += 2 + uint16(packed, at); break;
        case 0xc6: weight += HEAVY_BYTES; at += 4 + uint32(packed, at); break;
        case 0xc7: weight += HEAVY_BYTES; at += 2 + (packed[at] ?? 0); break;
        case 0xc8: weight += HEAVY_BYTES; at += 3 + uint16(packed, at); break;
        case 0xc9: weight += HEAVY_BYTES; at += 5 + uint32(packed, at); break;
        case 0xcc: case 0xd0: at += 1; break;
        case 0xcd: case 0xd1: at += 2; break;
        case 0xca: case 0xce: case 0xd2: at += 4; break;
        case 0xcb: at += 8; break;
        case 0xcf: case 0xd3: weight += OBJECT_BYTES; at += 8; break;
        case 0xd4:
          // A definition, or `undefined`.
          if (packed[at] === 0x72 && ++definitions > MAX_DEFINITIONS) throw new ProtocolError(`a value that defines more than ${MAX_DEFINITIONS} records`);
          at += 2;
          break;
        case 0xd5: case 0xd6: case 0xd7: case 0xd8: weight += HEAVY_BYTES; at += 1 + (2 << (token - 0xd5)); break;
        case 0xd9: at += 1 + (packed[at] ?? 0); break;
        case 0xda: at += 2 + uint16(packed, at); break;
        case 0xdb: at += 4 + uint32(packed, at); break;
        case 0xdc: case 0xde: weight += OBJECT_BYTES; at += 2; break;
        case 0xdd: case 0xdf: weight += OBJECT_BYTES; at += 4; break;
        default:
      }
    }
  }
  return weight;
}

const uint16 = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
const uint32 = (bytes: Uint8Array, at: number): number => uint16(bytes, at) * 0x1_0000 + uint16(bytes, at + 2);
