// Things that cross a link by reference: functions, signals and proxies of processes. What an argument brought lives for
// the length of its call; `keep(fn)` holds a function longer; proxies live until the peer drops them or the link ends.
import { CallbackReleasedError } from '../errors.js';
import type { CallContext } from './context.js';

/** What a peer may call through a reference. */
export interface Exported {
  invoke(member: string, args: unknown[], context: CallContext): unknown;
  /** It stands for something of another process: calls go there. */
  readonly passesOn?: true;
  /** The peer holds it beyond its call. */
  retain?(): void;
  /** Detaches listeners; runs once. */
  release?(): void;
}

/** Collects what the arguments of one call lent out, so that it can be given up when the call has settled. */
export interface Scope {
  references: number[] | undefined;
  streams: { stop(): void }[] | undefined;
}

export const newScope = (): Scope => ({ references: undefined, streams: undefined });
export const isUsed = (scope: Scope): boolean => scope.references !== undefined || scope.streams !== undefined;

/** The table of what one session has lent out; it ends with the link. Reference 0 is the process's control surface, which only its owner reaches. */
export class Exports {
  readonly #table = new Map<number, Exported>();
  readonly #retained = new Set<number>();
  #next = 1;

  get size(): number {
    return this.#table.size;
  }

  add(exported: Exported): number {
    const reference = this.#next++;
    this.#table.set(reference, exported);
    return reference;
  }

  /** Puts `exported` at reference 0. */
  control(exported: Exported): void {
    this.#table.set(0, exported);
  }

  get(reference: number): Exported | undefined {
    return this.#table.get(reference);
  }

  /** The peer holds it beyond its call. */
  retain(reference: number): void {
    const exported = this.#table.get(reference);
    if (!exported || this.#retained.has(reference)) return;
    this.#retained.add(reference);
    exported.retain?.();
  }

  release(reference: number): void {
    if (reference === 0) return;
    this.#retained.delete(reference);
    const exported = this.#table.get(reference);
    this.#table.delete(reference);
    exported?.release?.();
  }

  /** The call of `scope` has settled: its streams end, and what was not retained goes. */
  settle({ references, streams }: Scope): void {
    if (references) for (const reference of references) if (!this.#retained.has(reference)) this.release(reference);
    if (streams) for (const stream of streams) stream.stop();
  }

  clear(): void {
    for (const reference of this.#table.keys()) this.release(reference);
  }
}

/** A function that came over a link. `keep` and the end of its call look here. */
export interface Borrowed {
  /** How often `keep` holds it. */
  keeps: number;
  expired: boolean;
  /** `holder` holds it beyond its call; the peer is told when the first does. */
  retain(holder: object): void;
  /** `holder` does no longer; so it is when it is collected. The peer is told when the last has gone. */
  letGo(holder: object): void;
}

const borrowed = new WeakMap<Function, Borrowed>();
const keptHere = new WeakMap<Function, Set<() => void>>();

export function borrow<F extends Function>(stub: F, state: Borrowed): F {
  borrowed.set(stub, state);
  return stub;
}

export const expiredCallback = (name: string): CallbackReleasedError =>
  new CallbackReleasedError(`the callback passed to ${name} was called after its call had settled; hold it with keep(fn) while the call runs`);

/**
 * Holds a function beyond the call that it is an argument of.
 *
 * In the process that got the function: `this.listener = keep(listener)`. In the caller: `await calc.subscribe(keep(fn))`.
 * The result is the function, disposable: `using` or `[Symbol.dispose]()` lets it go on both sides.
 */
export function keep<F extends (...args: never[]) => unknown>(fn: F): F & Disposable {
  const state = borrowed.get(fn);
  const held = ((...args: never[]) => fn(...args)) as F & Disposable;
  if (state) {
    if (state.expired) throw expiredCallback('a process');
    state.retain(held);
    held[Symbol.dispose] = () => state.letGo(held);
    return held;
  }
  const releases = new Set<() => void>();
  keptHere.set(held, releases);
  held[Symbol.dispose] = () => {
    for (const release of releases) release();
    releases.clear();
    keptHere.delete(held);
  };
  return held;
}

/** True for a function that came over a link. */
export const isBorrowed = (fn: Function): boolean => borrowed.has(fn);

/** Where to note how a function that `keep` holds here is let go; undefined when it is not held. */
export const keptReleases = (fn: Function): Set<() => void> | undefined => keptHere.get(fn);
