// `transfer(value, list)`: marks what a value carries for moving instead of copying, where the method result is the only place to say so.
import type { Transferable } from '../types.js';

const marked = new WeakMap<object, readonly Transferable[]>();

/**
 * Marks buffers inside `value` to be moved, not copied, when it crosses to another process: `return transfer(image, [image.data.buffer])`,
 * or as an argument. Between threads moving is free; over sockets the bytes are sent and the sender's buffer is detached all the same.
 * A typed array or ArrayBuffer without a list is moved itself.
 */
export function transfer<T extends object>(value: T, list?: readonly Transferable[]): T {
  marked.set(value, list ?? [ArrayBuffer.isView(value) ? (value.buffer as ArrayBuffer) : (value as unknown as ArrayBuffer)]);
  return value;
}

/** What `transfer` marked on `value` itself. */
export function transferOf(value: unknown): readonly Transferable[] | undefined {
  return typeof value === 'object' && value !== null ? marked.get(value) : undefined;
}

/** What `transfer` marked on any of `args`, joined with `list`. */
export function transferOfArguments(args: readonly unknown[], list: readonly Transferable[] | undefined): readonly Transferable[] | undefined {
  let all = list;
  for (const argument of args) {
    const own = transferOf(argument);
    if (own) all = all ? [...all, ...own] : own;
  }
  return all;
}
