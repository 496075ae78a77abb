// Reads packed bytes with a private copy of msgpackr's reader in which every extension but ours is refused.
// The copy is made by the build (scripts/bundle.mjs): extensions are global to a copy, and the shared one stays as it was.
import * as msgpackr from 'msgpackr/unpack';
import { ProtocolError } from '../errors.js';
import { Ext } from './packed-output.js';

interface UnpackrLike { unpack(source: Uint8Array, end?: number): unknown }
interface Reader {
  Unpackr: new (options: object) => UnpackrLike;
  addExtension(extension: { type: number; unpack: (data: Uint8Array) => unknown }): void;
  C1: object;
}
interface NativeReader { latin1Write(text: string, offset: number, length: number): number }

/** Its declarations leave out `C1` and what an extension is given. */
const { Unpackr, addExtension, C1 } = msgpackr as unknown as Reader;
let prepared = false;
const SCRATCH = 32 * 1024;
let scratch: Buffer | undefined;

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

  /** @throws ProtocolError when the bytes are not a complete packed value */
  unpack(payload: unknown): unknown {
    if (!prepared) prepare();
    this.reader ??= new Unpackr(this.kind === 'link' ? { sequential: true, mapsAsObjects: true, copyBuffers: true } : { useRecords: false, mapsAsObjects: true, copyBuffers: this.kind === 'single' });
    try {
      if (typeof payload === 'string') return this.unpackText(this.reader, payload);
      if (payload instanceof Uint8Array) return this.unpackBytes(this.reader, payload);
    } catch (error) {
      throw error instanceof ProtocolError ? error : new ProtocolError(`malformed value: ${(error as Error).message}`, { cause: error });
    }
    throw new ProtocolError(`a packed value cannot be ${payload === null ? 'null' : typeof payload}`);
  }

  private unpackText(reader: UnpackrLike, text: string): unknown {
    if (text.length === 0) throw new ProtocolError('empty value');
    // On a reused buffer the bytes behind the end are stale, but never older than this thread's own messages.
    if (text.length > SCRATCH) return checked(reader.unpack(Buffer.from(text, 'latin1')), false);
    scratch ??= Buffer.allocUnsafeSlow(SCRATCH);
    (scratch as unknown as NativeReader).latin1Write(text, 0, text.length);
    return reader.unpack(scratch, text.length);
  }

  private unpackBytes(reader: UnpackrLike, bytes: Uint8Array): unknown {
    if (bytes.byteLength === 0) throw new ProtocolError('empty value');
    const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return checked(reader.unpack(buffer), buffer.includes(0xc1));
  }
}

/** msgpackr answers the reserved byte 0xc1 (which UTF-8 cannot contain) with a shared marker object: refuse it. */
function checked(value: unknown, suspect: boolean): unknown {
  if (suspect && hasMarker(value)) throw new ProtocolError('reserved byte in a packed value');
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
