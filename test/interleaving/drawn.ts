// What schedules draw for their operations. The small comes first: it is what a failing schedule shrinks to.
import fc from 'fast-check';
import type { Flow, Form } from '../fixtures/processes/interleaving.process.js';
import { STREAM_WINDOW } from '#mimas/rpc/streams.js';

/** See test/fixtures/processes/ticks.ts. */
export const wait = fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 0, max: 2 }) }, { weight: 2, arbitrary: fc.integer({ min: 3, max: 5 }) });
export const few = fc.integer({ min: 0, max: 6 });
export const some = fc.integer({ min: 1, max: 6 });

const length = fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 0, max: 12 }) }, { weight: 1, arbitrary: fc.integer({ min: STREAM_WINDOW - 6, max: 2 * STREAM_WINDOW + 6 }) });
const failAt = fc.oneof({ weight: 5, arbitrary: fc.constant(-1) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: 6 }) });

/** A long stream does not wait for each item. */
export const flow = (...forms: Form[]): fc.Arbitrary<Flow> => fc.record({ n: length, form: fc.constantFrom(...forms), wait, failAt }).map((drawn) => (drawn.n > 12 && drawn.wait > 2 ? { ...drawn, wait: 2 } : drawn));

/** Items that a flow gives, and whether it ends by an error. */
export function itemsOf({ n, failAt: at }: Flow, base: number): { items: number[]; breaks: boolean } {
  const breaks = at >= 0 && at < n;
  return { items: Array.from({ length: breaks ? at : n }, (_, i) => base + i), breaks };
}
