// A limit of a restart policy that something which heals has met: it rests, and is tried again. What is known of that meanwhile.
import { RestartsExhaustedError } from '../errors.js';
import type { RestartLimit } from './restart-policy.js';

export interface Halt {
  readonly limit: RestartLimit;
  /** Which limit is met, in words. */
  readonly why: string;
  /** When it is tried again (`performance.now()`). */
  readonly until: number;
  /** What it died of last. */
  readonly cause: Error | undefined;
}

/** Milliseconds until it is tried again. */
export const retryAfter = ({ until }: Halt): number => Math.max(1, Math.ceil(until - performance.now()));

export const haltText = (halt: Halt): string => `${halt.why}; it is tried again in ${retryAfter(halt)} ms${halt.cause ? `; last: ${halt.cause.message}` : ''}`;

/** Of a call that is made meanwhile. */
export const haltError = (name: string, restarts: number, halt: Halt): RestartsExhaustedError =>
  new RestartsExhaustedError(`${name}: ${haltText(halt)}`, { process: name, restarts, limit: halt.limit, retryAfter: retryAfter(halt), cause: halt.cause });
