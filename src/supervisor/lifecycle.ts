// The five phases of a unit and the only ways between them. One way: a unit that is to live again gets a new lifecycle.

export type Phase = 'Starting' | 'Syncing' | 'Terminating' | 'Terminated' | 'Finished';

export const PHASES: readonly Phase[] = ['Starting', 'Syncing', 'Terminating', 'Terminated', 'Finished'];

export const TRANSITIONS: Readonly<Record<Phase, readonly Phase[]>> = {
  Starting: ['Syncing', 'Terminating'],
  Syncing: ['Terminating'],
  Terminating: ['Terminated'],
  Terminated: ['Finished'],
  Finished: [],
};

export class Lifecycle {
  #phase: Phase = 'Starting';
  #syncedAt: number | undefined;
  #terminatingAt: number | undefined;
  #finishedAt: number | undefined;

  get phase(): Phase {
    return this.#phase;
  }

  /** Neither asked to end nor ended. */
  get alive(): boolean {
    return this.#phase === 'Starting' || this.#phase === 'Syncing';
  }

  get terminatingAt(): number | undefined {
    return this.#terminatingAt;
  }

  /** Moves to `to` and answers the phase that it came from. An illegal step is a bug of the engine and throws. */
  advance(to: Phase, now: number): Phase {
    const from = this.#phase;
    if (!TRANSITIONS[from].includes(to)) throw new Error(`illegal transition ${from} → ${to}`);
    this.#phase = to;
    if (to === 'Syncing') this.#syncedAt = now;
    else if (to === 'Terminating') this.#terminatingAt = now;
    else if (to === 'Finished') this.#finishedAt = now;
    return from;
  }

  /** Milliseconds since the first successful sync, until now or until Finished. */
  uptime(now: number): number {
    return this.#syncedAt === undefined ? 0 : (this.#finishedAt ?? now) - this.#syncedAt;
  }
}
