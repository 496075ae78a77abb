// The calls of a tick as one frame on a byte link; attachments follow the packed part as they are, never copied into it.
// Body: u32le packed length, u32le attachment count, u32le length of each attachment, packed bytes, attachment bytes.
// Carries undefined, -0, NaN, lone surrogates and the difference between number and bigint exactly.
import { ProtocolError } from '../errors.js';
import { BatchWriter } from './batch-writer.js';
import { DEFAULT_LIMITS } from './frames.js';
import { ATTACH_BYTES } from './plain-writer.js';
import { Unpacker } from './unpacker.js';
import { checkWeight, HEAVY_BYTES } from './weight.js';

const HEADER = 8;
/** Up to this size a batch is not looked through before it is unpacked. */
const LIGHT = 128 * 1024;
const MAX_PACKED = 0xffff_ffff;

let writer: BatchWriter | undefined;
let unpacker: Unpacker | undefined;

/**
 * The frame of `entries` (primitives, arrays of them, packed payloads) as chunks to be written in a row: one with header and
 * entries, then the attachments themselves.
 */
export function packBatch(entries: readonly unknown[], attachments: readonly Uint8Array[] = []): Uint8Array[] {
  writer ??= new BatchWriter(MAX_PACKED);
  writer.pack(entries);
  const packed = writer.bytes();
  const head = HEADER + 4 * attachments.length;
  const chunk = Buffer.allocUnsafe(head + packed.byteLength);
  chunk.writeUInt32LE(packed.byteLength, 0);
  chunk.writeUInt32LE(attachments.length, 4);
  attachments.forEach((attachment, index) => chunk.writeUInt32LE(attachment.byteLength, HEADER + 4 * index));
  chunk.set(packed, head);
  return [chunk, ...attachments];
}

/**
 * The entries alone as a string of one character a byte, for MessagePorts: V8 copies such a string with one memcpy, where it
 * would walk an array slot by slot (half the time per call).
 */
export function packEntries(entries: readonly unknown[]): string {
  writer ??= new BatchWriter(MAX_PACKED);
  writer.pack(entries);
  return writer.text();
}

/** @throws ProtocolError */
export function unpackEntries(text: string): unknown[] {
  unpacker ??= new Unpacker('batch');
  const packed = Buffer.from(text, 'latin1');
  checkBatch(packed);
  const entries = unpacker.unpack(packed, false, Infinity);
  if (!Array.isArray(entries)) throw new ProtocolError('a batch has to be a list');
  return entries;
}

/** Payloads and attachments are views on `frame`; the value codec copies what it hands out. @throws ProtocolError */
export function unpackBatch(frame: Uint8Array): { entries: unknown[]; attachments: Uint8Array[] } {
  if (frame.byteLength < HEADER) throw new ProtocolError('frame too short');
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const packedLength = view.getUint32(0, true);
  const count = view.getUint32(4, true);
  const head = HEADER + 4 * count;
  if (head + packedLength > frame.byteLength) throw new ProtocolError('frame shorter than it claims');
  unpacker ??= new Unpacker('batch');
  const packed = frame.subarray(head, head + packedLength);
  checkBatch(packed);
  const entries = unpacker.unpack(packed, false, Infinity);
  if (!Array.isArray(entries)) throw new ProtocolError('a batch has to be a list');

  const attachments: Uint8Array[] = [];
  let offset = head + packedLength;
  for (let index = 0; index < count; index++) {
    const length = view.getUint32(HEADER + 4 * index, true);
    if (offset + length > frame.byteLength) throw new ProtocolError('attachment longer than the frame');
    // What is smaller stands in the packed part. Each becomes an object here.
    if (length < ATTACH_BYTES) throw new ProtocolError('an attachment that is too small to be one');
    attachments.push(frame.subarray(offset, offset + length));
    offset += length;
  }
  if (offset !== frame.byteLength) throw new ProtocolError('frame longer than it claims');
  return { entries, attachments };
}

/** Batches are gathered up to 64 KB: what makes them larger is a large value, which is one slot. @throws ProtocolError */
function checkBatch(packed: Uint8Array): void {
  if (packed.byteLength > LIGHT) checkWeight(packed, packed.byteLength + HEAVY_BYTES * DEFAULT_LIMITS.maxBatchSlots);
}
