// What to tell a user whose value cannot cross: what it is, where it stands, what to do instead.
import { types } from 'node:util';
import { FrameTooLargeError, NotCloneableError } from '../errors.js';

/** Where a value stands: its key in what holds it, and so on up to the root. */
export interface Place {
  readonly parent: Place | undefined;
  /** A property name, an index, or ready text such as `.get("k")`. */
  readonly key: string | number;
  readonly ready?: boolean;
}

/** `args[0].db.pool[3]`. */
export function pathOf(place: Place): string {
  let path = '';
  for (let at: Place | undefined = place; at !== undefined; at = at.parent) path = segment(at) + path;
  return path;
}

function segment({ parent, key, ready }: Place): string {
  if (parent === undefined || ready) return String(key);
  if (typeof key === 'number') return `[${key}]`;
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** `Socket`, `function render`, `symbol`, `an array`. Never throws and runs no code of the value beyond a getter. */
export function describe(value: unknown): string {
  if (typeof value === 'function') {
    try {
      return value.name ? `function ${value.name}` : 'function';
    } catch {
      return 'function';
    }
  }
  if (typeof value !== 'object' || value === null) return typeof value === 'symbol' ? String(value) : typeof value;
  if (types.isPromise(value)) return 'Promise';
  try {
    const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
    if (typeof name === 'string' && name !== '') return name;
  } catch {
    // a getter that throws says nothing
  }
  return 'object';
}

const ADVICE: readonly [test: (value: unknown, what: string) => boolean, advice: string][] = [
  [(value) => types.isPromise(value), 'await it first'],
  [(value) => typeof value === 'symbol', 'send a string instead'],
  [(value) => typeof value === 'function', 'functions cross only as arguments or results of a call; send data, or call back through a process'],
  [(_, what) => what === 'WeakMap' || what === 'WeakSet' || what === 'WeakRef', 'its content cannot be listed; send a Map, a Set or the object itself'],
  [(_, what) => what === 'MessagePort' || what === 'FileHandle', 'name it in the transfer list of a call between threads'],
  [(_, what) => what === 'SharedArrayBuffer', 'memory is shared between threads only; send a copy of the bytes'],
];

export function notCloneable(value: unknown, place: Place, hint?: string): NotCloneableError {
  const what = describe(value);
  const path = pathOf(place);
  const advice = hint ?? ADVICE.find(([test]) => test(value, what))?.[1] ?? 'send plain data in its place';
  return new NotCloneableError(`${path} cannot be sent (${what}): ${advice}`, { path });
}

/** Puts the method into the message of an encoding error: `calculator.add(): args[0].db …`. */
export function nameMethod(error: unknown, process: string, method: string): unknown {
  if (error instanceof NotCloneableError) return new NotCloneableError(`${process}.${method}(): ${error.message}`, { path: error.path, method, cause: error.cause });
  if (error instanceof FrameTooLargeError) return new FrameTooLargeError(`${process}.${method}(): ${error.message}`, { size: error.size, limit: error.limit });
  return error;
}
