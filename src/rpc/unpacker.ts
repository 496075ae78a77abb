// Reads packed bytes with a private copy of msgpackr's reader in which every extension but ours is refused.
// The copy is made by the build (scripts/bundle.mjs): extensions are global to a copy, and the shared one stays as it was.
import * as msgpackr from 'msgpackr/unpack';
import { ProtocolError } from '../errors.js';
import { Ext } from './packed-output.js';
import { checkWeight } from './weight.js';

interface Range { start: number; end: number }
interface UnpackrLike { unpack(source: Uint8Array, range?: Range): unknown }
interface Reader {
  Unpackr: new (options: object) => UnpackrLike;
  addExtension(extension: { type: number; unpack: (data: Uint8Array) => unknown }): void;
  /** Who makes strings: given where the header of one begins, and the end of the source, in the buffer that the source lies on. */
  setExtractor(extract: (start: number, end: number) => string): void;
  C1: object;
}
interface NativeText { latin1Slice(start: number, end: number): string; utf8Slice(start: number, end: number): string }

/** Its declarations leave out `setExtractor`, `C1` and what an extension is given. */
const { Unpackr, addExtension, setExtractor, C1 } = msgpackr as unknown as Reader;
let prepared = false;
/** Up to this size, a message of ASCII strings becomes one text whose parts they are. Whoever keeps a part keeps the text. */
const WHOLE_TEXT = 4_096;
/** What is being read. */
let source: Buffer & NativeText;
let whole = false;
const { includes } = Buffer.prototype;
/** A larger batch, or a larger value, is not kept until the next comes. */
const KEPT_BATCH = 128 * 1024;

/** A batch whose values are read from where they lie: msgpackr makes a DataView for each source, and asking a Buffer where it lies takes long. */
class Batch {
  readonly memory: ArrayBufferLike;
  readonly start: number;
  readonly end: number;
  /** It holds the byte that no value may, or a number that has such a byte. */
  readonly suspect: boolean;

  constructor(readonly bytes: Buffer & NativeText) {
    this.memory = bytes.buffer;
    this.start = bytes.byteOffset;
    this.end = bytes.byteOffset + bytes.byteLength;
    this.suspect = includes.call(bytes, RESERVED);
  }
}

/** msgpackr answers this byte (which UTF-8 cannot contain) with a shared marker object. */
const RESERVED = 0xc1;
/** What was read last. */
let batch = new Batch(Buffer.alloc(0) as Buffer & NativeText);
const range: Range = { start: 0, end: 0 };
const NIL = Buffer.of(0xc0) as Buffer & NativeText;

/** msgpackr's own extensions: RegExp, Error, Set, references … would build by name from the wire. */
const REFUSED = [0x42, 0x62, 0x65, 0x69, 0x70, 0x73, 0x74, 0x78, 0xff];

function prepare(): void {
  prepared = true;
  const read: Record<number, (data: Uint8Array) => unknown> = {
    [Ext.BYTES]: (data) => {
      const own = new Uint8Array(data.byteLength);
      own.set(data);
      return own;
    },
    // In memory of its own: what lies on Node's pool shows its neighbours to whoever looks at `buffer`, and cannot be moved.
    [Ext.BUFFER]: (data) => {
      const own = Buffer.allocUnsafeSlow(data.byteLength);
      own.set(data);
      return own;
    },
    [Ext.DATE]: (data) => new Date(new DataView(data.buffer, data.byteOffset, data.byteLength).getFloat64(0)),
    [Ext.UTF16]: (data) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf16le'),
    [Ext.BIGINT]: readBigint,
  };
  for (const [type, unpack] of Object.entries(read)) addExtension({ type: Number(type), unpack });
  for (const type of REFUSED) {
    addExtension({
      type,
      unpack: () => {
        throw new ProtocolError(`extension ${type} is not part of the protocol`);
      },
    });
  }
  Object.freeze(C1);
  setExtractor(extract);
}

/** The string whose header begins at `start`; where all strings are ASCII, all text from it on, of which msgpackr then takes the parts. */
function extract(start: number, end: number): string {
  const buffer = source;
  const { byteOffset } = buffer;
  const header = start - byteOffset;
  const token = buffer[header]!;
  const at = header + (token < 0xc0 ? 1 : token === 0xd9 ? 2 : token === 0xda ? 3 : 5);
  if (whole) return buffer.latin1Slice(at, end - byteOffset);
  const length = token < 0xc0 ? token & 0x1f : token === 0xd9 ? buffer[header + 1]! : token === 0xda ? buffer.readUInt16BE(header + 1) : buffer.readUInt32BE(header + 1);
  return buffer.utf8Slice(at, Math.min(at + length, end - byteOffset));
}

function readBigint(data: Uint8Array): bigint {
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1');
  if (!/^-?[\da-f]+$/.test(text)) throw new ProtocolError('malformed bigint');
  return text.startsWith('-') ? -BigInt(`0x${text.slice(1)}`) : BigInt(`0x${text}`);
}

export class Unpacker {
  private reader: UnpackrLike | undefined;

  /** 'link' keeps record definitions from one message to the next; 'batch' gives binary as views on the source. */
  constructor(private readonly kind: 'link' | 'single' | 'batch') {}

  /**
   * `ascii`: all strings in it are, its writer says. `limit`: the largest weight. @throws ProtocolError when the bytes are not a complete
   * packed value, or stand for more than `limit`
   */
  unpack(payload: unknown, ascii: boolean, limit: number): unknown {
    if (!prepared) prepare();
    this.reader ??= new Unpackr(this.kind === 'link' ? { sequential: true, mapsAsObjects: true, copyBuffers: true } : { useRecords: false, mapsAsObjects: true, copyBuffers: this.kind === 'single' });
    if (!(payload instanceof Uint8Array)) throw new ProtocolError(`a packed value cannot be ${payload === null ? 'null' : typeof payload}`);
    if (payload.byteLength === 0) throw new ProtocolError('empty value');
    checkWeight(payload, limit);
    whole = ascii && payload.byteLength <= WHOLE_TEXT;
    try {
      return this.read(this.reader, payload);
    } catch (error) {
      throw error instanceof ProtocolError ? error : new ProtocolError(`malformed value: ${(error as Error).message}`, { cause: error });
    }
  }

  private read(reader: UnpackrLike, payload: Uint8Array): unknown {
    const { bytes, memory, start, end, suspect } = batch;
    const { byteOffset } = payload;
    range.start = byteOffset - start;
    range.end = byteOffset + payload.byteLength - start;
    if (range.start >= 0 && range.end <= end - start && payload.buffer === memory) {
      source = bytes;
      const value = reader.unpack(bytes, range);
      return suspect ? checked(value, payload) : value;
    }
    source = (Buffer.isBuffer(payload) ? payload : Buffer.from(payload.buffer, byteOffset, payload.byteLength)) as Buffer & NativeText;
    if (source.byteLength > KEPT_BATCH) return checked(readLarge(reader), payload);
    if (this.kind === 'batch') batch = new Batch(source);
    return checked(reader.unpack(source), payload);
  }
}

/** msgpackr keeps what it read last, as we do: that is nothing, then. */
function readLarge(reader: UnpackrLike): unknown {
  try {
    return reader.unpack(source);
  } finally {
    source = NIL;
    reader.unpack(NIL);
  }
}

/** Refuses a value with the marker in it. */
function checked(value: unknown, payload: Uint8Array): unknown {
  if (includes.call(payload, RESERVED) && hasMarker(value)) throw new ProtocolError('reserved byte in a packed value');
  return value;
}

function hasMarker(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (value === C1) return true;
  if (ArrayBuffer.isView(value)) return false;
  if (!Array.isArray(value)) return Object.values(value).some(hasMarker);
  for (const item of value) if (typeof item === 'object' && hasMarker(item)) return true;
  return false;
}
