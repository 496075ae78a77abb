// A schedule: operations, and the waits between their beginnings. They all run at once from then on.
import fc from 'fast-check';
import { callbacks } from './operations/callbacks.js';
import { relays } from './operations/relays.js';
import { signals } from './operations/signals.js';
import { streams } from './operations/streams.js';
import { values } from './operations/values.js';
import { wait } from './drawn.js';
import type { Operation } from './operation.js';
import type { Cell, End } from './world.js';

export const OPERATIONS: Readonly<Record<string, Operation>> = { ...values, ...streams, ...callbacks, ...signals, ...relays };

export type Step =
  | { readonly kind: string; readonly params: unknown; readonly gap: number }
  | { readonly kind: 'disturb'; readonly who: 'calc' | 'other'; readonly how: End; readonly gap: number };
export type Schedule = readonly Step[];

const gap = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 4, arbitrary: wait });
const MOST = 16;
const MOST_DISTURBANCES = 2;

export function schedules({ pool, few, disturbed }: Pick<Cell, 'pool' | 'few' | 'disturbed'>): fc.Arbitrary<Schedule> {
  const kinds = Object.entries(OPERATIONS).filter(([, { single, nested }]) => !(pool && single) && !(few && nested));
  const step: fc.Arbitrary<Step> = fc.oneof(...kinds.map(([kind, { params }]) => fc.record({ kind: fc.constant(kind), params, gap })));
  if (!disturbed) return fc.array(step, { minLength: 1, maxLength: MOST, size: 'max' });
  const disturb: fc.Arbitrary<Step> = fc.record({ kind: fc.constant('disturb' as const), who: fc.constantFrom('calc' as const, 'calc' as const, 'other' as const), how: fc.constantFrom(...disturbed), gap });
  return fc.array(fc.oneof({ weight: 8, arbitrary: step }, { weight: 1, arbitrary: disturb }), { minLength: 1, maxLength: MOST, size: 'max' })
    .filter((steps) => steps.filter(({ kind }) => kind === 'disturb').length <= MOST_DISTURBANCES);
}

export const show = (schedule: Schedule): string => schedule.map(({ gap: after, ...step }, i) => {
  const what = 'params' in step ? `${step.kind} ${JSON.stringify(step.params)}` : `${step.how} of ${(step as { who: string }).who}`;
  return `  ${i}: ${what}, then wait ${after}`;
}).join('\n');
