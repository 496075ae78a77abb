// Evaluates the core of the package, which scripts/bundle.mjs writes as a script: unlike a module, a script can be compiled from V8's
// code cache. The bundler makes chunks/core.cjs of this file, so it imports nothing: it is the first that a thread or a child runs.
// Invariant: one core a realm, and for most programs that is one an isolate; a cache that is missing or does not fit costs time and nothing else.
import type { Script } from 'node:vm';

/** What a program hands to its threads and children, so that they need not compile what it has compiled. */
export interface CodeCache {
  /** Of the script that it was made of: V8 itself compares no more than lengths. */
  readonly key: string;
  readonly data: Uint8Array;
}

/** In memory that a program and its threads share. */
export interface SharedCache {
  readonly key: string;
  /** 0 until the cache is there, then its length; below 0 when there is none. */
  readonly length: Int32Array;
  readonly bytes: Uint8Array;
}

/** Known to the core itself as `coreScript`. */
export interface CoreScript {
  readonly key: string;
  readonly script: Script;
  /** Whether it was compiled from a cache. */
  readonly cached: boolean;
}

type Import = (id: string) => Promise<unknown>;
type Names = Readonly<Record<string, unknown>>;
type Evaluate = (coreBuiltin: (id: string) => unknown, coreImport: Import, coreUrl: string, coreScript: CoreScript | undefined, coreHome: (() => Names) | undefined) => Names;

/** Where modules are evaluated that Jest or a vm pool of vitest loads. */
export interface Realm {
  /** Its global `eval`. */
  evaluate(source: string): unknown;
  /** Imports from the folder of the core. */
  load: Import;
}

/**
 * The program makes the cache while the thread boots, so it is there or comes at once, unless the machine has too much to do: then
 * compiling takes longer still. A program that is blocked that long could not hear of the thread either.
 */
const PATIENCE_MS = 1000;

const fs = process.getBuiltinModule('node:fs');

export function loadCore(url: string, key: string, load: Import, cache: CodeCache | undefined): Names {
  const vm = process.getBuiltinModule('node:vm');
  const source = fs.readFileSync(new URL(url), 'latin1');
  // The files may have been replaced while the program was running.
  const fits = cache?.key === key && source.startsWith(`/* ${key} */`);
  const script = new vm.Script(source, { filename: url, ...(fits ? { cachedData: cache.data } : {}) });
  const evaluate = script.runInThisContext() as Evaluate;
  return evaluate((id) => process.getBuiltinModule(id), load, url, { key, script, cached: fits && script.cachedDataRejected === false }, undefined);
}

/**
 * A core of another realm than Node's own, so that what it makes belongs to who imports it: `error instanceof RangeError`. `home` gives
 * the one of Node's realm, where Node's own loader evaluates process files.
 */
export function loadCoreIn({ evaluate, load }: Realm, url: string, home: () => Names): Names {
  // One at a time: a loader that links two graphs with a part in common at once may take that part for linked too early, as vitest's does.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn: Import = (id) => (last = last.then(() => load(id), () => load(id)));
  const make = evaluate(`${fs.readFileSync(new URL(url), 'latin1')}\n//# sourceURL=${url}`) as Evaluate;
  return make((id) => process.getBuiltinModule(id), inTurn, url, undefined, home);
}

/** The cache that the starter of this thread shares with it. */
export function sharedCache(data: unknown): CodeCache | undefined {
  const started = data as { code?: SharedCache | undefined };
  const { code } = started;
  if (!code) return undefined;
  // Code that runs here later has no business with it.
  delete started.code;
  Atomics.wait(code.length, 0, 0, PATIENCE_MS);
  const length = Atomics.load(code.length, 0);
  return length > 0 ? { key: code.key, data: code.bytes.subarray(0, length) } : undefined;
}

/** The cache at the head of the channel to the starter of this child: u32le its length, u32le the key's, both. Nothing behind it is read. */
export function pipedCache(fd: number): CodeCache | undefined {
  const lengths = read(fd, 8);
  if (!lengths || lengths.readUInt32LE(0) === 0) return undefined;
  const key = read(fd, lengths.readUInt32LE(4));
  const data = read(fd, lengths.readUInt32LE(0));
  return key && data ? { key: key.toString('latin1'), data } : undefined;
}

/** Exactly `length` bytes, or undefined when the other side has gone: who reads the channel next will see that. */
function read(fd: number, length: number): Buffer | undefined {
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let filled = 0; filled < length; ) {
    try {
      const count = fs.readSync(fd, bytes, filled, length - filled, null);
      if (count === 0) return undefined;
      filled += count;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return undefined;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
  return bytes;
}
