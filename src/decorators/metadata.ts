// What the decorators write down about one class, under one well-known key so that two copies of the package read each other.
// Invariant: a class owns its record; what it inherits is found by walking the class chain, never by copying.
import { InvalidProcessError } from '../errors.js';

/** One class's own declarations. Plain data: another version of the package may have written it. */
export interface ClassRecord {
  process?: { name?: string; version?: string; description?: string };
  readonly methods: Map<string, { timeout?: number; idempotent?: boolean; concurrency?: number }>;
  readonly healthChecks: Map<string, { interval?: number; timeout?: number }>;
  readonly shutdownHooks: Set<string>;
}

/** Any class, abstract or not. */
export type Constructor = abstract new (...args: never) => object;

const RECORD = Symbol.for('mimas.process');

// Compilers look `Symbol.metadata` up while the user's class is evaluated, which is after its `import … from 'mimas'` ran.
// `Symbol.for` is what esbuild and swc fall back to, so all agree even on a base class that was evaluated before this line.
const wellKnown = Symbol as { metadata?: symbol };
if (wellKnown.metadata === undefined) {
  Object.defineProperty(Symbol, 'metadata', { value: Symbol.for('Symbol.metadata'), configurable: true, writable: true });
}
const METADATA = wellKnown.metadata ?? Symbol.for('Symbol.metadata');

/** The record that lives on `holder` (a standard decorator's `context.metadata`, or a legacy prototype), made when missing. */
export function ownRecord(holder: object): ClassRecord {
  const found = readRecord(holder);
  if (found) return found;
  const record: ClassRecord = { methods: new Map(), healthChecks: new Map(), shutdownHooks: new Set() };
  Object.defineProperty(holder, RECORD, { value: record, configurable: true });
  return record;
}

/** The records of a class and its bases, base first. */
export function recordsOf(ctor: Constructor): { owner: Constructor; record: ClassRecord }[] {
  const records: { owner: Constructor; record: ClassRecord }[] = [];
  for (let owner: unknown = ctor; typeof owner === 'function'; owner = Object.getPrototypeOf(owner)) {
    // Both places are read at every step: a standard subclass may extend a base that was compiled with legacy decorators.
    for (const holder of [ownValue(owner, METADATA), ownValue(owner, 'prototype')]) {
      const record = typeof holder === 'object' && holder !== null ? readRecord(holder) : undefined;
      if (record) records.unshift({ owner: owner as Constructor, record });
    }
  }
  return records;
}

/** `context.metadata`, or a clear refusal when the compiler that lowered the decorators knows no metadata. */
export function metadataOf(context: { metadata?: object | undefined }, where: string): object {
  if (context.metadata) return context.metadata;
  throw new InvalidProcessError(
    `${where}: this compiler's standard decorators carry no metadata; compile with TypeScript 5.2 or later (or a current esbuild, swc or Babel), `
      + 'or set "experimentalDecorators": true in tsconfig.json',
  );
}

function readRecord(holder: object): ClassRecord | undefined {
  return ownValue(holder, RECORD) as ClassRecord | undefined;
}

function ownValue(holder: object, key: PropertyKey): unknown {
  return Object.getOwnPropertyDescriptor(holder, key)?.value;
}
