// What the engine and Node know about memory and host objects: how a view lies on its buffer, what only threads can share.
import { types } from 'node:util';
import * as workerThreads from 'node:worker_threads';
import { viewClass, viewIndex } from './graph-table.js';

const { WebAssembly } = globalThis as unknown as { WebAssembly: { Module: new (bytes: Uint8Array) => object } };

/** What the engine knows of a view: a property of the user's own may say something else. */
const getterOf = (name: string, prototype: object): (() => unknown) => Object.getOwnPropertyDescriptor(prototype, name)!.get!;
const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;
const [bytesLength, bytesOffset, bytesBuffer] = ['byteLength', 'byteOffset', 'buffer'].map((name) => getterOf(name, typedArray)) as [() => unknown, () => unknown, () => unknown];
const [dataLength, dataOffset, dataBuffer] = ['byteLength', 'byteOffset', 'buffer'].map((name) => getterOf(name, DataView.prototype)) as [() => unknown, () => unknown, () => unknown];

export const lengthOfBytes = (bytes: ArrayBufferView): number => bytesLength.call(bytes) as number;
export const bufferOfBytes = (bytes: ArrayBufferView): ArrayBufferLike => bytesBuffer.call(bytes) as ArrayBufferLike;

/** Where any view lies. */
export const placeOf = (view: ArrayBufferView): { buffer: ArrayBufferLike; byteOffset: number; byteLength: number } =>
  (types.isTypedArray(view)
    ? { buffer: bytesBuffer.call(view), byteOffset: bytesOffset.call(view), byteLength: bytesLength.call(view) }
    : { buffer: dataBuffer.call(view), byteOffset: dataOffset.call(view), byteLength: dataLength.call(view) }) as { buffer: ArrayBufferLike; byteOffset: number; byteLength: number };

/** Host objects that look like empty data. */
export const OPAQUE: ReadonlySet<unknown> = new Set<unknown>([Atomics, Math, JSON, Reflect, Intl, WebAssembly, globalThis]);

interface Resizable { readonly resizable?: boolean; readonly maxByteLength: number; resize(length: number): void }

/** A detached buffer looks empty; only building a view on it tells. */
export function isDetached(buffer: ArrayBuffer): boolean {
  if (buffer.byteLength !== 0) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

/** `max` is set for a resizable buffer and then counts as its size: the receiver reserves that much. */
export function flattenBuffer(buffer: ArrayBuffer): { size: number; max: number | undefined } {
  const { resizable, maxByteLength } = buffer as ArrayBuffer & Resizable;
  return resizable ? { size: maxByteLength, max: maxByteLength } : { size: buffer.byteLength, max: undefined };
}

/** A copy in memory of its own. `slice` would fill that with zeros first, which takes as long as to copy. */
export function copyOfBuffer(buffer: ArrayBuffer): ArrayBuffer {
  const copy = Buffer.allocUnsafeSlow(buffer.byteLength);
  copy.set(new Uint8Array(buffer));
  return copy.buffer;
}

/**
 * Its contents in a buffer of their own; the sender's is emptied. What the engine holds on to (Node's pool, memory of WebAssembly) is
 * copied: Node 20 does that by itself, later ones refuse.
 */
export function moveBuffer(buffer: ArrayBuffer): ArrayBuffer {
  try {
    return structuredClone(buffer, { transfer: [buffer] });
  } catch {
    return copyOfBuffer(buffer);
  }
}

/** From Node 21 on the pool can be told by its mark. Its size alone tells before that only: Node 26 adds to it what aligns it. */
const { isMarkedAsUntransferable } = workerThreads as { isMarkedAsUntransferable?: (value: object) => boolean };
const isPool = (buffer: ArrayBufferLike): boolean => (isMarkedAsUntransferable ? isMarkedAsUntransferable(buffer) : buffer.byteLength === Buffer.poolSize);

export interface FlatView { index: number; buffer: ArrayBufferLike; offset: number; length: number | undefined; own: boolean }

/**
 * Where a view lies. `own`: it lies on what may be Node's pool (shared by unrelated Buffers), so `buffer` is a copy of its own bytes.
 * `length` is undefined when the view follows the length of a resizable buffer.
 */
export function flattenView(view: ArrayBufferView): FlatView {
  const index = viewIndex(view);
  const unit = viewClass(index)?.BYTES_PER_ELEMENT ?? 1;
  const { buffer, byteOffset, byteLength } = placeOf(view);
  if (byteLength < buffer.byteLength && types.isArrayBuffer(buffer) && isPool(buffer)) {
    return { index, buffer: buffer.slice(byteOffset, byteOffset + byteLength), offset: 0, length: byteLength / unit, own: true };
  }
  const follows = (buffer as ArrayBuffer & Resizable).resizable === true && followsBuffer(view, buffer as ArrayBuffer & Resizable, unit);
  return { index, buffer, offset: byteOffset, length: follows ? undefined : byteLength / unit, own: false };
}

/** No property tells whether a view tracks its buffer; growing the buffer by one element for a moment does. */
function followsBuffer(view: ArrayBufferView, buffer: ArrayBuffer & Resizable, unit: number): boolean {
  const { byteLength } = buffer;
  if (byteLength + unit > buffer.maxByteLength) return false;
  const before = placeOf(view).byteLength;
  buffer.resize(byteLength + unit);
  const follows = placeOf(view).byteLength !== before;
  buffer.resize(byteLength);
  return follows;
}

const HOST_SYMBOLS = new Set(['messaging_clone_symbol', 'messaging_transfer_symbol']);
const MOVES = new Set(['messaging_transfer_symbol']);

/** Node marks its own cloneable and transferable objects, or their classes, by symbols that it keeps to itself. */
function isMarked(value: object, marks: ReadonlySet<string>): boolean {
  for (let at: object | null = value; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at) as object | null) {
    if (Object.getOwnPropertySymbols(at).some((symbol) => marks.has(symbol.description ?? ''))) return true;
  }
  return false;
}

/** Node's own cloneable and transferable objects (Blob, KeyObject, FileHandle, BlockList …) and those of the engine. */
export function isShareable(value: object): boolean {
  if (types.isSharedArrayBuffer(value) || types.isCryptoKey(value) || types.isKeyObject(value)) return true;
  return value instanceof Blob || value instanceof MessagePort || value instanceof WebAssembly.Module || isMarked(value, HOST_SYMBOLS);
}

/** These have one owner: without a place in the transfer list they cannot leave. */
export function mustMove(value: object): boolean {
  const name = (value.constructor as { name?: string } | undefined)?.name;
  return value instanceof MessagePort || value instanceof WritableStream || value instanceof TransformStream || name === 'FileHandle';
}

/** What a transfer list may name, besides views of buffers. */
export const canMove = (value: object): boolean => types.isArrayBuffer(value) || value instanceof MessagePort || isMarked(value, MOVES);

export const shareHint = (value: object): string =>
  types.isSharedArrayBuffer(value) ? 'memory is shared between threads only; send a copy of the bytes' : 'it crosses between threads only; send what it stands for as plain data';
