// V8's code cache of the core: made once by a program that starts threads or children, which then load the core without compiling it.
// Invariant: it goes through memory and pipes of this program only, never through a file, where others could write.
import type { CoreScript, SharedCache } from './core-script.js';
import { rehearseStart } from './rehearsal.js';

/** A parameter of the script that the bundler makes of the core. Sources that run as they are have no cache. */
declare const coreScript: CoreScript | undefined;
const core = typeof coreScript === 'undefined' ? undefined : coreScript;

/** Several times as much as it needs; only what is used is backed by memory. */
const SHARED_BYTES = 1024 * 1024;

let shared: SharedCache | undefined;
let filled: Promise<Uint8Array | undefined> | undefined;

/** Room for the cache. A thread that is given it waits for `fillCodeCache`. */
export function sharedCodeCache(): SharedCache | undefined {
  if (!core) return undefined;
  return (shared ??= { key: core.key, length: new Int32Array(new SharedArrayBuffer(4)), bytes: new Uint8Array(new SharedArrayBuffer(SHARED_BYTES)) });
}

/** Makes the cache, once. Call it when the first thread or child has begun to boot: that takes longer, so nobody waits. */
export function fillCodeCache(): Promise<Uint8Array | undefined> {
  return (filled ??= fill());
}

async function fill(): Promise<Uint8Array | undefined> {
  const { length, bytes } = sharedCodeCache() ?? {};
  if (!core || !length || !bytes) return undefined;
  // It may fail without harm: then less is compiled.
  await rehearseStart().catch(() => {});
  const data = core.script.createCachedData();
  const fits = data.length <= bytes.length;
  if (fits) bytes.set(data);
  Atomics.store(length, 0, fits ? data.length : -1);
  Atomics.notify(length, 0);
  return fits ? bytes.subarray(0, data.length) : undefined;
}

/** The head of the channel to a child, as `pipedCache` reads it. */
export async function codeCacheHead(): Promise<Uint8Array[]> {
  const cache = await fillCodeCache();
  const lengths = Buffer.alloc(8);
  if (!core || !cache) return [lengths];
  lengths.writeUInt32LE(cache.length, 0);
  lengths.writeUInt32LE(core.key.length, 4);
  return [lengths, Buffer.from(core.key, 'latin1'), cache];
}

/** Whether the core of this thread or child was compiled from the cache that it was handed. */
export const isFromCodeCache = (): boolean => core?.cached ?? false;
