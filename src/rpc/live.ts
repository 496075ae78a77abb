// Live things: values that cross as references, not as data. The session says how; the codec only recognises them.
import { types } from 'node:util';
import type { Transferable } from '../types.js';
import { REMOTE } from './plain-writer.js';

export type { Transferable };

/** 'stream': anything (async) iterable that is not data. 'signal': an AbortSignal. 'proxy': a proxy to a process. */
export type LiveKind = 'function' | 'stream' | 'readable' | 'proxy' | 'signal';

const KINDS: ReadonlySet<unknown> = new Set<LiveKind>(['function', 'stream', 'readable', 'proxy', 'signal']);
export const isLiveKind = (kind: unknown): kind is LiveKind => KINDS.has(kind);

/** How live things cross: supplied by the session. `exportLive` answers plain data (objects, arrays, primitives). */
export interface LiveReferences {
  exportLive(value: object, kind: LiveKind, path: string): unknown;
  importLive(kind: LiveKind, description: unknown): unknown;
}

/** The kind of a live thing, undefined for data. Ask only after the built-in containers: those are iterable, too. */
export function liveKind(value: object): LiveKind | undefined {
  const symbols = value as Record<symbol, unknown>;
  if (symbols[REMOTE] !== undefined) return 'proxy';
  if (typeof value === 'function') return 'function';
  if (value instanceof AbortSignal) return 'signal';
  if (value instanceof ReadableStream) return 'readable';
  if (types.isGeneratorObject(value)) return 'stream';
  if (typeof symbols[Symbol.asyncIterator] === 'function' || typeof symbols[Symbol.iterator] === 'function') return 'stream';
  return undefined;
}
