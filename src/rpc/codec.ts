// Values to what a link carries, and back: exactly what structured clone keeps, on every transport.
// Invariant: an encode that throws leaves the link as it was: no definition, no detached buffer, no reference handed out (but by exportLive itself).
import { types } from 'node:util';
import { ProtocolError } from '../errors.js';
import { rebuild } from './graph-decoder.js';
import { GraphEncoder, tooLarge } from './graph-encoder.js';
import type { LiveReferences, Transferable } from './live.js';
import { TooLarge, isWellFormed } from './packed-output.js';
import { mayBeDense, PlainWriter } from './plain-writer.js';
import { Shapes } from './shapes.js';
import { ASCII, INLINE_LENGTH, Tag } from './tag.js';
import { Unpacker } from './unpacker.js';
import { weigh, WEIGHT_PER_BYTE } from './weight.js';

export { ASCII, INLINE_LENGTH, Tag } from './tag.js';
export type { LiveKind, LiveReferences, Transferable } from './live.js';

export const MAX_DEPTH = 1000;
const LONG_TEXT = 16_384;
/** A larger payload goes with the message that carries it, bytes. */
const KEPT = 16_384;
/** A graph is unpacked twice: its table, and what that stands for. */
const TABLE_AND_VALUE = 2;
const INT64 = 2n ** 63n;
const NONE: readonly never[] = [];

export interface CodecOptions {
  /** 'objects': a MessagePort or memory. 'bytes': a socket. */
  level: 'objects' | 'bytes';
  /** Upper bound of one value on the wire, attachments included. */
  maxFrame: number;
  maxDepth?: number;
  live?: LiveReferences;
}

export interface EncodeOptions {
  /** Never use link state, so that the result can be kept, sent later or sent again. */
  standalone?: boolean;
  transfer?: readonly Transferable[];
  /** What error paths begin with: 'args', 'result'. */
  root?: string;
  /** Drop the stacks of errors. */
  redact?: boolean;
}

export interface Encoded {
  tag: number;
  /** INLINE: the value; else a Uint8Array: a view on memory that is shared, but never overwritten. */
  payload: unknown;
  /** ArrayBuffers and host objects on 'objects' links, Uint8Arrays on 'bytes' links. */
  attachments: readonly unknown[] | undefined;
  transfer: readonly Transferable[] | undefined;
  /** Approximate bytes on the wire. */
  size: number;
}

export class ValueCodec {
  private readonly writer: PlainWriter;
  private readonly shapes = new Shapes();
  private readonly linked = new Unpacker('link');
  private readonly single = new Unpacker('single');
  private readonly maxDepth: number;
  private readonly maxWeight: number;
  /** The result of all encodes that are small and without attachments: it keeps its payload until the next. */
  private readonly encoded: Encoded = { tag: 0, payload: undefined, attachments: undefined, transfer: undefined, size: 0 };

  constructor(private readonly options: CodecOptions) {
    this.maxDepth = options.maxDepth ?? MAX_DEPTH;
    this.maxWeight = WEIGHT_PER_BYTE * options.maxFrame;
    this.writer = new PlainWriter(options.maxFrame, this.maxDepth);
  }

  /**
   * Encodes `value` at once. The result may be an object that the next encode reuses: take its fields before that.
   * PLAIN results have to be sent in the order of encoding; call `abandon` if one is not sent after all.
   * @throws NotCloneableError, FrameTooLargeError
   */
  encode(value: unknown, options?: EncodeOptions): Encoded {
    return (moves(options) ? undefined : this.inline(value)) ?? this.encodeComposite(value, options);
  }

  /** The same for what `inline` or `listSize` has refused. `list`: it is known to be dense and without properties of its own. */
  encodeComposite(value: unknown, options?: EncodeOptions, list = false): Encoded {
    // A getter of the value being packed makes a call of its own: that one goes through a codec without link state.
    if (this.writer.busy) return new ValueCodec(this.options).encodeComposite(value, { ...options, standalone: true }, list);
    return (moves(options) ? undefined : this.pack(value, options?.standalone === true, list)) ?? this.encodeGraph(value, options);
  }

  /** @throws ProtocolError when the payload is not what `encode` makes */
  decode(tag: unknown, payload: unknown, attachments: readonly unknown[] = NONE): unknown {
    switch (tag) {
      case Tag.INLINE: return readInline(payload);
      case Tag.PLAIN: return this.linked.unpack(payload, false, this.maxWeight);
      case Tag.PLAIN + ASCII: return this.linked.unpack(payload, true, this.maxWeight);
      case Tag.STANDALONE: return this.single.unpack(payload, false, this.maxWeight);
      case Tag.STANDALONE + ASCII: return this.single.unpack(payload, true, this.maxWeight);
      case Tag.GRAPH: return this.decodeGraph(payload, attachments);
      default: throw new ProtocolError(`unknown tag ${typeof tag === 'number' ? tag : typeof tag}`);
    }
  }

  /** What the value that was packed last takes in memory beside its bytes. */
  get objects(): number {
    return this.writer.objects;
  }

  /** Says that something encoded as PLAIN was not sent: everything after it defines its records anew. */
  abandon(): void {
    this.shapes.reset();
  }

  /** The encoding of a primitive or of a short list of them; undefined for anything else. @throws FrameTooLargeError */
  inline(value: unknown): Encoded | undefined {
    if (typeof value !== 'object' || value === null) {
      const size = this.checked(inlineSize(value));
      return size < 0 ? undefined : this.result(Tag.INLINE, value, size);
    }
    if (!Array.isArray(value) || value.length > INLINE_LENGTH || !mayBeDense(value)) return undefined;
    if (value.includes(undefined) && hasHole(value)) return undefined;
    const size = this.listSize(value);
    return size < 0 ? undefined : this.result(Tag.INLINE, value.slice(), size);
  }

  /**
   * Bytes of a list that goes as it is, under INLINE: a short one of primitives; -1 for any other. It has to be dense and without
   * properties of its own, as rest parameters are. @throws FrameTooLargeError
   */
  listSize(list: readonly unknown[]): number {
    return list.length > INLINE_LENGTH ? -1 : this.checked(inlineArraySize(list));
  }

  private checked(size: number): number {
    if (size > this.options.maxFrame) throw tooLarge({ size }, this.options.maxFrame);
    return size;
  }

  private pack(value: unknown, standalone: boolean, list: boolean): Encoded | undefined {
    try {
      if (!this.writer.pack(value, standalone ? undefined : this.shapes, list ? 'list' : 'value')) return undefined;
    } catch (error) {
      throw error instanceof TooLarge ? tooLarge(error, this.options.maxFrame) : error;
    }
    const { size, ascii } = this.writer;
    try {
      return this.result((standalone ? Tag.STANDALONE : Tag.PLAIN) + (ascii ? ASCII : 0), this.writer.bytes(), size);
    } catch (error) {
      this.abandon(); // longer than a string can be: the definitions will not be sent
      throw error;
    }
  }

  private encodeGraph(value: unknown, options: EncodeOptions = {}): Encoded {
    const { level, maxFrame, live } = this.options;
    const { transfer = NONE, root = 'value', redact = false } = options;
    const graph = new GraphEncoder({ level, maxDepth: this.maxDepth, maxFrame, live, transfer, root, redact });
    graph.flatten(value);
    let size = this.packTable(graph);
    let payload = this.writer.bytes();
    if (graph.hasLive) {
      graph.exportLive();
      size = this.packTable(graph);
      payload = this.writer.bytes();
    }
    const { attachments, transfer: moved } = graph.finish();
    return { tag: Tag.GRAPH, payload, attachments, transfer: moved, size };
  }

  /** @throws FrameTooLargeError */
  private packTable(graph: GraphEncoder): number {
    const { maxFrame } = this.options;
    try {
      if (!this.writer.pack(graph.table, undefined, 'table')) throw new ProtocolError('a live reference was described by something that is not plain data');
    } catch (error) {
      throw error instanceof TooLarge ? tooLarge(error.weighed ? error : { size: error.size + graph.attachedBytes }, maxFrame) : error;
    }
    const size = this.writer.size + graph.attachedBytes;
    const weight = TABLE_AND_VALUE * this.writer.weight + graph.attachedBytes + graph.weight;
    if (size <= maxFrame && weight <= WEIGHT_PER_BYTE * maxFrame) return size;
    this.writer.release();
    throw tooLarge(size > maxFrame ? { size } : { size: weight, weighed: true }, maxFrame);
  }

  private decodeGraph(payload: unknown, attachments: readonly unknown[]): unknown {
    const { level, maxFrame, live } = this.options;
    const { maxWeight } = this;
    try {
      const table = this.single.unpack(payload, false, maxWeight / TABLE_AND_VALUE);
      return rebuild(table, { attachments, level, maxFrame, maxWeight: maxWeight - TABLE_AND_VALUE * weigh(payload as Uint8Array), live });
    } catch (error) {
      throw error instanceof ProtocolError ? error : new ProtocolError(`malformed value: ${(error as Error).message}`, { cause: error });
    }
  }

  private result(tag: number, payload: unknown, size: number): Encoded {
    if (size > KEPT) return { tag, payload, attachments: undefined, transfer: undefined, size };
    const { encoded } = this;
    encoded.tag = tag;
    encoded.payload = payload;
    encoded.size = size;
    return encoded;
  }
}

const moves = (options: EncodeOptions | undefined): boolean => options?.transfer !== undefined && options.transfer.length > 0;

/** Bytes that a primitive takes, or -1 when it cannot go as it is. */
function inlineSize(value: unknown): number {
  switch (typeof value) {
    case 'number': return value === 0 && 1 / value < 0 ? -1 : 9;
    case 'string': return isWellFormed(value) ? textBytes(value) + 5 : -1;
    case 'undefined':
    case 'boolean': return 1;
    case 'bigint': return value >= -INT64 && value < INT64 ? 9 : -1;
    case 'object': return value === null ? 1 : -1;
    default: return -1;
  }
}

/** Exact where it matters: a long text may take three times its length, and a frame past the limit would cost the link. */
const textBytes = (text: string): number => (text.length > LONG_TEXT ? Buffer.byteLength(text) : text.length);

/** `mayBeDense` takes a list for dense that has as many holes as properties of its own. */
function hasHole(list: readonly unknown[]): boolean {
  for (let i = 0; i < list.length; i++) if (!(i in list)) return true;
  return false;
}

function inlineArraySize(array: readonly unknown[]): number {
  let size = 1;
  for (let i = 0; i < array.length; i++) {
    const value = array[i];
    const bytes = inlineSize(value);
    if (bytes < 0) return -1;
    size += bytes;
  }
  return size;
}

/** A copy, since a kept payload may be decoded again. */
function readInline(payload: unknown): unknown {
  if (Array.isArray(payload) && payload.length <= INLINE_LENGTH && inlineArraySize(payload) >= 0) return payload.slice();
  if (typeof payload === 'symbol' || typeof payload === 'function' || (typeof payload === 'object' && payload !== null) || types.isProxy(payload)) throw new ProtocolError('malformed inline value');
  return payload;
}
