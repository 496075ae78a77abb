// How the places of a pool stand: which of them rest after a limit of the restart policy, and what that means for who calls.
import { haltText, type Halt } from '../supervisor/halt.js';
import type { Member } from './member.js';
import type { Replica } from './replica.js';

/** Why no place is left. `halt`: of the one that is tried again first; without it nobody brings one up by himself. */
export interface Refusal {
  readonly error: Error;
  readonly halt: Halt | undefined;
}

const halts = (replicas: readonly Replica[]): Halt[] => replicas.flatMap(({ member }) => member.halt ?? []);

/** When each place of `replicas` rests: the one that is tried again first. */
export function refusalOf(replicas: readonly Replica[]): Refusal | undefined {
  const resting = halts(replicas);
  if (resting.length < replicas.length || resting.length === 0) return undefined;
  const halt = resting.reduce((first, next) => (next.until < first.until ? next : first));
  return { halt, error: halt.cause ?? new Error(halt.why) };
}

/** What health says beside the numbers. */
export function standingText(replicas: readonly Replica[], lost: number): string {
  const resting = halts(replicas);
  const rest = resting.length > 0 ? `; ${resting.length} ${resting.length === 1 ? 'rests' : 'rest'}: ${haltText(resting[0]!)}` : '';
  return rest + (lost > 0 ? `; ${lost} gave up: the restart policy allows no more` : '');
}

export const restingOf = (replicas: readonly Replica[]): number => halts(replicas).length;

/** The first `count` places that are not taken. */
export function freeSlots(taken: ReadonlySet<number>, count: number): number[] {
  const free: number[] = [];
  for (let slot = 0; free.length < count; slot++) if (!taken.has(slot)) free.push(slot);
  return free;
}

export const failureOf = (member: Member): Error => member.failure ?? new Error(`${member.id} has ended`);
