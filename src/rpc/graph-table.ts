// The table that a GRAPH payload is: `[root, ...nodes]`, one flat array a node, packed without records.
// A value inside a node is a primitive, or `[index]`: a reference to the node of that index. So sharing and cycles need nothing special.

import { HEAVY_BYTES } from './weight.js';

/** The first element of a node; what follows is listed beside it. */
export const Node = {
  /** key, value, key, value … */
  OBJECT: 0,
  /** value … */
  ARRAY: 1,
  /** length, key, value, key, value …: with holes (number keys) or extra properties (string keys) */
  SPARSE: 2,
  /** key, value … */
  MAP: 3,
  /** value … */
  SET: 4,
  /** milliseconds, NaN when invalid */
  DATE: 5,
  /** source, flags */
  REGEXP: 6,
  /** the primitive inside a Number, String, Boolean or BigInt object */
  BOX: 7,
  /** bytes, maxByteLength or undefined */
  BUFFER: 8,
  /** attachment index, maxByteLength or undefined */
  ATTACHED_BUFFER: 9,
  /** class index, reference to the buffer, byteOffset, length or undefined when it follows the buffer */
  VIEW: 10,
  /** see wire-error.ts */
  ERROR: 11,
  /** attachment index: something that only threads can share, as it is */
  ATTACHED: 12,
  /** kind, description */
  LIVE: 13,
} as const;

const HEAVY: ReadonlySet<unknown> = new Set([Node.MAP, Node.SET, Node.REGEXP, Node.BOX, Node.BUFFER, Node.ATTACHED_BUFFER, Node.VIEW, Node.ERROR]);
/** What a node stands for takes beside the lists that it is made of, bytes. */
export const weightOfNode = ([type, first]: readonly unknown[]): number => {
  if (HEAVY.has(type)) return HEAVY_BYTES;
  if (type === Node.LIVE) return LIVE_BYTES;
  return type === Node.SPARSE && typeof first === 'number' ? PLACE_BYTES * first : 0;
};
/** A function, a stream or a proxy with what keeps account of it. */
const LIVE_BYTES = 1024;
/** A place of a list that may be a hole. It takes no memory, but time of whoever joins, sorts or walks the list, and nothing stops that. */
const PLACE_BYTES = 128;

export interface ViewClass {
  readonly prototype: ArrayBufferView;
  readonly BYTES_PER_ELEMENT?: number;
  new (buffer: ArrayBuffer, offset: number, length?: number): ArrayBufferView;
}

/** In wire order; only ever append. Float16Array is missing on older engines and then refused on decode. */
export const VIEW_NAMES = [
  'DataView', 'Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array',
  'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array', 'Float16Array', 'Buffer',
] as const;
const BUFFER = VIEW_NAMES.indexOf('Buffer');

export const viewClass = (index: number): ViewClass | undefined => {
  const name = VIEW_NAMES[index];
  return name === undefined ? undefined : (globalThis as unknown as Record<string, ViewClass | undefined>)[name];
};

const tagOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)!.get!;

/** A view of that class; undefined when there is none. `length` is undefined when it follows the length of the buffer. */
export function makeView(index: number, buffer: ArrayBuffer, offset: number, length: number | undefined): ArrayBufferView | undefined {
  if (index !== BUFFER) {
    const View = viewClass(index);
    return View && new View(buffer, offset, length);
  }
  // Buffer has no constructor that may be called, and what it makes does not follow.
  return length === undefined ? (Object.setPrototypeOf(new Uint8Array(buffer, offset), Buffer.prototype) as Buffer) : Buffer.from(buffer, offset, length);
}

/** The wire index of a view's class, whatever realm or subclass it is of. */
export function viewIndex(view: ArrayBufferView): number {
  if (Buffer.isBuffer(view)) return BUFFER;
  const name = tagOf.call(view) as string | undefined;
  return name === undefined ? 0 : VIEW_NAMES.indexOf(name as (typeof VIEW_NAMES)[number]);
}
