// Keeps a thread within a limit that V8 alone would not keep: its heap and what hangs on it outside, such as Buffers, together.
// Invariant: from the moment on when it holds too much, garbage not counted, it answers nobody; its owner reads why in `over`.
import { PolledLink } from '../transport/polled-link.js';
import type { Link } from '../rpc/link.js';
import type { LatencyMode, Transferable } from '../types.js';

/** How often it is looked at while nothing is sent, ms. */
const LOOK_MS = 100;
/** How often at most, however much is sent, ms. */
const REST_MS = 5;
/** To collect takes a while: not more often than this because of garbage, ms. */
const COLLECT_REST_MS = 1_000;

/** What its owner and a thread share. */
export interface MemoryBound {
  /** Bytes. */
  readonly limit: number;
  /** [0]: 1 once it held too much; [1]: counts its looks, so that one who does not look is seen; [2]: its number with the kernel, if that is known. */
  readonly state: Int32Array;
}

export const newMemoryBound = (limit: number): MemoryBound => ({ limit, state: new Int32Array(new SharedArrayBuffer(12)) });
/** It ended because it held too much. */
export const wentOver = (bound: MemoryBound | undefined): boolean => bound !== undefined && Atomics.load(bound.state, 0) === 1;

/** Bytes of the heap and of what hangs on it, as V8 knows them. Costs a microsecond. */
export function heldBytes(): number {
  const { used_heap_size: heap, external_memory: outside } = process.getBuiltinModule('node:v8').getHeapStatistics();
  return heap + outside;
}

/** The same; garbage does not count when it is more than `limit`: that takes as long as a collection of the whole heap does. */
export function heldAbove(limit: number): number {
  const held = heldBytes();
  if (held <= limit) return held;
  collect();
  return heldBytes();
}

function collect(): void {
  const v8 = process.getBuiltinModule('node:v8');
  // New contexts have a function for it while the flag is set; no context of the user's does.
  v8.setFlagsFromString('--expose-gc');
  const gc = process.getBuiltinModule('node:vm').runInNewContext('globalThis.gc') as (() => void) | undefined;
  v8.setFlagsFromString('--no-expose-gc');
  gc?.();
}

function kernelThread(): number {
  try {
    return Number(process.getBuiltinModule('node:fs').readlinkSync('/proc/thread-self').split('/').at(-1)) || 0;
  } catch {
    return 0;
  }
}

export class MemoryGuard {
  #looked = 0;
  #collected = -Infinity;

  constructor(private readonly bound: MemoryBound) {
    Atomics.store(bound.state, 2, kernelThread());
    setInterval(() => this.allows(), LOOK_MS).unref();
  }

  /** False: it holds too much, and is about to end. */
  allows(): boolean {
    const { limit, state } = this.bound;
    const now = performance.now();
    if (now - this.#looked < REST_MS) return Atomics.load(state, 0) === 0;
    this.#looked = now;
    Atomics.add(state, 1, 1);
    if (heldBytes() <= limit || now - this.#collected < COLLECT_REST_MS) return Atomics.load(state, 0) === 0;
    this.#collected = now;
    if (heldAbove(limit) <= limit) return true;
    Atomics.store(state, 0, 1);
    process.exit(1);
    return false;
  }
}

/** The way out of a guarded thread: what it would send is not sent when it holds too much. */
export class GuardedLink extends PolledLink {
  constructor(
    link: Link,
    latency: LatencyMode | undefined,
    private readonly guard: MemoryGuard,
  ) {
    super(link, latency ?? 'normal');
  }

  override send(entries: unknown[], attachments: unknown[], transfer: Transferable[]): boolean {
    return this.guard.allows() && super.send(entries, attachments, transfer);
  }
}
