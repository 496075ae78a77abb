// What an operation is: something a caller does with a process, whose whole outcome the model knows beforehand.
// Invariant: `run` resolves only when every part of the outcome was what it had to be; it throws `Wrong` when one was not,
// and hands on any other error, for the runner to judge: only it knows whether a process has died meanwhile.
import type fc from 'fast-check';
import { isDeepStrictEqual, inspect } from 'node:util';
import type { Remote } from 'mimas';
import type Interleaving from '../fixtures/processes/interleaving.process.js';
import type { Flow } from '../fixtures/processes/interleaving.process.js';

export type Proxy = Remote<Interleaving>;
export type { Flow };

/** What a running operation has at hand. */
export interface Hand {
  /** Unlike that of any other operation; the items of its streams count up from `base`, and so do the answers of its callbacks. */
  readonly key: string;
  readonly base: number;
  /** In a pool: calls of one key go to one replica. */
  readonly calc: Proxy;
  readonly pinned: Proxy;
  readonly other: Proxy;
  /** Counts up with the calls of the whole schedule. */
  next(): number;
  /** A stream for an argument. It has to have ended soon after the operation has, however that went. */
  source(flow: Flow): AsyncIterable<number>;
}

export interface Limits {
  /** It needs the calls of one caller to reach one process. */
  readonly single?: boolean;
  /** While it has a call under way it makes another: not where few calls may be under way at once. */
  readonly nested?: boolean;
}

export interface Operation<P = never> extends Limits {
  readonly params: fc.Arbitrary<P>;
  run(hand: Hand, params: P): Promise<void>;
}

export const operation = <P>(params: fc.Arbitrary<P>, run: (hand: Hand, params: P) => Promise<void>, limits: Limits = {}): Operation => ({ params, run, ...limits }) as unknown as Operation;

export class Wrong extends Error {}

export function same(got: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(got, expected)) throw new Wrong(`${what}: expected ${show(expected)}, got ${show(got)}`);
}

/** The error of `promise`. @throws Wrong when there is none; what `isIt` does not take for the one that was meant */
export async function errorOf(promise: Promise<unknown>, what: string, isIt: (error: Error & { code?: unknown }) => boolean): Promise<Error & Record<string, unknown>> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    if (isIt(error as Error)) return error as Error & Record<string, unknown>;
    throw error;
  }
  throw new Wrong(`${what}: expected an error, got ${show(value)}`);
}

/** Their values, once all have settled. @throws the first error */
export async function allOf(calls: readonly (Promise<unknown> | undefined)[]): Promise<unknown[]> {
  await Promise.allSettled(calls);
  return Promise.all(calls);
}

const show = (value: unknown): string => inspect(value, { breakLength: Infinity, depth: 4, maxArrayLength: 20, maxStringLength: 80 });
