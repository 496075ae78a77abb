// Errors across a border: class, name, message, code, cause, own fields and stack survive, as far as the receiver knows the class.
// A class is only ever found in a registry of this side; nothing on the wire names what to construct.
import { MimasError, ProtocolError, RemoteError, errorClassOf } from '../errors.js';

type ErrorClass = abstract new (...args: never[]) => Error;

const BUILT_IN: ReadonlyMap<string, new (message?: string) => Error> = new Map<string, new (message?: string) => Error>([
  ['Error', Error], ['TypeError', TypeError], ['RangeError', RangeError], ['SyntaxError', SyntaxError],
  ['ReferenceError', ReferenceError], ['EvalError', EvalError], ['URIError', URIError],
]);

const Kind = { BUILT_IN: 0, AGGREGATE: 1, DOM: 2, MIMAS: 3, OTHER: 4 } as const;
const HAS_CAUSE = 1;
const HAS_ERRORS = 2;

const registered = new Map<string, ErrorClass>();

/**
 * Makes errors of `ctor` arrive as instances of it, when the class of that name is registered at the receiving side.
 * The constructor does not run there: the error is built from the fields that came.
 */
export function registerErrorClass(ctor: ErrorClass): void {
  registered.set(ctor.name, ctor);
}

/** Encodes what hangs on an error; `key` is a property name for the path. */
export interface ErrorContext {
  encode(value: unknown, key: string): unknown;
  /** Drops the stack, for a receiver that must not learn about this machine's files. */
  redact: boolean;
}

/** `[kind, class, name, message, stack, flags, cause, errors, key, value, …]`; never throws, whatever the error's getters do. */
export function errorToWire(error: Error, { encode, redact }: ErrorContext): unknown[] {
  const constructorName = safeText(() => (error.constructor as { name?: unknown }).name) || 'Error';
  let name = safeText(() => error.name) || 'Error';
  let kind: number = Kind.OTHER;
  let className = constructorName;
  if (error instanceof MimasError) {
    kind = Kind.MIMAS;
    className = error.code;
  } else if (error instanceof RemoteError) className = name;
  else if (constructorName === 'DOMException') kind = Kind.DOM;
  else if (constructorName === 'AggregateError') kind = Kind.AGGREGATE;
  else if (BUILT_IN.has(constructorName)) kind = Kind.BUILT_IN;
  else if (constructorName === 'NodeError' && BUILT_IN.has(name)) {
    kind = Kind.BUILT_IN;
    className = name;
  } else if (BUILT_IN.has(name) && !Object.hasOwn(error, 'name')) name = constructorName;

  const hasCause = Object.hasOwn(error, 'cause');
  const hasErrors = Object.hasOwn(error, 'errors') && kind === Kind.AGGREGATE;
  const message = safeText(() => error.message);
  const wire: unknown[] = [
    kind, className, name, message, redact ? undefined : safeText(() => error.stack),
    (hasCause ? HAS_CAUSE : 0) | (hasErrors ? HAS_ERRORS : 0),
    hasCause ? encode(safe(() => error.cause), 'cause') : undefined,
    hasErrors ? encode(safe(() => (error as AggregateError).errors), 'errors') : undefined,
  ];
  for (const key of Object.keys(error)) {
    if (key === '__proto__' || key === 'stack' || key === 'message' || key === 'cause' || (hasErrors && key === 'errors')) continue;
    if (kind === Kind.MIMAS && key === 'code') continue;
    wire.push(key, encode(safe(() => (error as unknown as Record<string, unknown>)[key]), key));
  }
  return wire;
}

/** The error without what hangs on it; `fillError` adds that once everything it may refer to exists. */
export function errorShell(wire: readonly unknown[]): Error {
  const [kind, className, name, message, stack] = wire;
  if (typeof kind !== 'number' || typeof className !== 'string' || typeof name !== 'string' || typeof message !== 'string') throw new ProtocolError('malformed error');
  const error = withoutTrace(() => build(kind, className, name, message));
  if (kind !== Kind.DOM && error.name !== name) hidden(error, 'name', name);
  if (error.message !== message) hidden(error, 'message', message);
  hidden(error, 'stack', typeof stack === 'string' ? stack : `${name}: ${message}`);
  return error;
}

/** Its stack is the sender's: to look where this side stands would take longer than all the rest. */
function withoutTrace<T>(make: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function build(kind: number, className: string, name: string, message: string): Error {
  if (kind === Kind.DOM) return new DOMException(message, name);
  if (kind === Kind.AGGREGATE) return new AggregateError([], message);
  const BuiltIn = kind === Kind.BUILT_IN ? BUILT_IN.get(className) : undefined;
  if (BuiltIn) return new BuiltIn(message);
  const Coded = kind === Kind.MIMAS ? errorClassOf(className) : undefined;
  if (Coded) return new Coded(message);
  const Known = registered.get(className);
  if (Known) {
    const error = new Error(message);
    Object.setPrototypeOf(error, Known.prototype as object);
    return error;
  }
  const error = new RemoteError(message, name);
  if (kind === Kind.MIMAS) error.code = className;
  else delete error.code;
  return error;
}

export function fillError(error: Error, wire: readonly unknown[], decode: (value: unknown) => unknown): void {
  const flags = Number(wire[5]);
  if (flags & HAS_CAUSE) hidden(error, 'cause', decode(wire[6]));
  if (flags & HAS_ERRORS) hidden(error, 'errors', decode(wire[7]));
  for (let i = 8; i + 1 < wire.length; i += 2) {
    const key = wire[i];
    if (typeof key !== 'string') throw new ProtocolError('malformed error');
    if (key === '__proto__' || key === 'stack' || key === 'message') continue;
    Object.defineProperty(error, key, { value: decode(wire[i + 1]), enumerable: true, configurable: true, writable: true });
  }
}

/** This package's own files, and Node's, say nothing about why a method failed. */
const OWN_FRAMES = new URL('..', import.meta.url).pathname;
/** The same as source maps name them. */
const OWN_SOURCES = import.meta.url.endsWith('/dist/chunks/core-body.cjs') ? new URL('../../src/', import.meta.url).pathname : OWN_FRAMES;
const isForeign = (line: string): boolean => !/^\s+at /.test(line) || !(line.includes(OWN_FRAMES) || line.includes(OWN_SOURCES) || /\(?node:(?:internal|async_hooks|events)/.test(line));

/** The lines of a stack without the frames of this package and of Node. */
export const foreignLines = (stack: string | undefined): string[] => (stack ?? '').split('\n').filter(isForeign);
/** Its frames alone, likewise. */
export const foreignFrames = (stack: string | undefined): string[] => foreignLines(stack).filter((line) => /^\s+at /.test(line));

/** One stack that shows both sides: what threw, the border, who called. */
export function joinStacks(remoteStack: string, callerStack: string | undefined, processName: string): string {
  const caller = (callerStack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return [...remoteStack.split('\n'), `    --- ${processName} ---`, ...caller].filter(isForeign).join('\n');
}

const hidden = (error: Error, key: string, value: unknown): void => {
  Object.defineProperty(error, key, { value, enumerable: false, configurable: true, writable: true });
};

function safe(read: () => unknown): unknown {
  try {
    return read();
  } catch {
    return '[a getter that threw]';
  }
}

function safeText(read: () => unknown): string {
  try {
    const value = read();
    return typeof value === 'string' ? value : value === undefined || value === null ? '' : String(value);
  } catch {
    return '';
  }
}
