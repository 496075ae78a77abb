// Compares two values as exactly as code can tell them apart: Object.is, holes, prototypes, key order, and which objects are one.
import { types } from 'node:util';

/** Where `actual` differs from `expected`, or undefined when nothing does. */
export function difference(actual: unknown, expected: unknown, path = '$', pairs = new Map<unknown, unknown>(), taken = new Set<unknown>()): string | undefined {
  if (typeof expected !== 'object' || expected === null) return Object.is(actual, expected) ? undefined : `${path}: ${String(actual)} is not ${String(expected)}`;
  if (typeof actual !== 'object' || actual === null) return `${path}: not an object`;
  if (pairs.has(expected)) return pairs.get(expected) === actual ? undefined : `${path}: not the shared object`;
  if (taken.has(actual)) return `${path}: shared where the original is not`;
  pairs.set(expected, actual);
  taken.add(actual);
  if (Object.getPrototypeOf(actual) !== Object.getPrototypeOf(expected)) return `${path}: another prototype`;
  const next = (a: unknown, b: unknown, key: string) => difference(a, b, path + key, pairs, taken);

  if (types.isAnyArrayBuffer(expected)) return bytes(actual as ArrayBuffer, expected as ArrayBuffer, path);
  if (ArrayBuffer.isView(expected)) {
    const view = actual as ArrayBufferView;
    if (view.byteOffset !== expected.byteOffset || view.byteLength !== expected.byteLength) return `${path}: another part of the buffer`;
    return next(view.buffer, expected.buffer, '.buffer');
  }
  if (types.isDate(expected)) return next((actual as Date).getTime(), expected.getTime(), '.time');
  if (types.isRegExp(expected)) return next(`${String(actual)} ${(actual as RegExp).lastIndex}`, `${String(expected)} ${expected.lastIndex}`, '.source');
  if (types.isBoxedPrimitive(expected)) return next((actual as { valueOf(): unknown }).valueOf(), (expected as { valueOf(): unknown }).valueOf(), '.valueOf()');
  if (types.isMap(expected)) return lists([...(actual as Map<unknown, unknown>)].flat(), [...expected].flat(), next);
  if (types.isSet(expected)) return lists([...(actual as Set<unknown>)], [...expected], next);
  if (Array.isArray(expected) && (actual as unknown[]).length !== expected.length) return `${path}: another length`;
  const keys = Object.keys(expected);
  const actualKeys = Object.keys(actual);
  if (keys.join('\0') !== actualKeys.join('\0')) return `${path}: keys ${JSON.stringify(actualKeys)} instead of ${JSON.stringify(keys)}`;
  for (const key of keys) {
    const found = next((actual as Record<string, unknown>)[key], (expected as Record<string, unknown>)[key], `.${key}`);
    if (found) return found;
  }
  return undefined;
}

function lists(actual: unknown[], expected: unknown[], next: (a: unknown, b: unknown, key: string) => string | undefined): string | undefined {
  if (actual.length !== expected.length) return next(actual.length, expected.length, '.size');
  for (let i = 0; i < expected.length; i++) {
    const found = next(actual[i], expected[i], `#${i}`);
    if (found) return found;
  }
  return undefined;
}

function bytes(actual: ArrayBuffer, expected: ArrayBuffer, path: string): string | undefined {
  const sizes = (buffer: ArrayBuffer) => `${buffer.byteLength} ${(buffer as { resizable?: boolean }).resizable ? (buffer as unknown as { maxByteLength: number }).maxByteLength : 'fixed'}`;
  if (sizes(actual) !== sizes(expected)) return `${path}: ${sizes(actual)} bytes instead of ${sizes(expected)}`;
  return Buffer.compare(new Uint8Array(actual), new Uint8Array(expected)) === 0 ? undefined : `${path}: other bytes`;
}

/** What structured clone makes of `value`, but that Buffers stay Buffers. */
export function exactClone<T>(value: T): T {
  const clone = structuredClone(value);
  restoreBuffers(value, clone, new Set());
  return clone;
}

function restoreBuffers(original: unknown, clone: unknown, done: Set<unknown>): void {
  if (typeof original !== 'object' || original === null || done.has(original)) return;
  done.add(original);
  if (Buffer.isBuffer(original)) Object.setPrototypeOf(clone, Buffer.prototype);
  if (ArrayBuffer.isView(original)) return;
  const parts = (value: unknown): unknown[] => [
    ...(value instanceof Map ? [...value].flat() : []),
    ...(value instanceof Set ? [...value] : []),
    ...Object.keys(value as object).map((key) => (value as Record<string, unknown>)[key]),
  ];
  const cloned = parts(clone);
  parts(original).forEach((part, index) => restoreBuffers(part, cloned[index], done));
}
