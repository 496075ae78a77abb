// Before a component starts: waits until all that it needs has come about, or one part of it never will.
// It hears of changes; nothing is polled.
import { offAbort, onAbort } from '../rpc/abort-listeners.js';
import type { Emitter } from '../supervisor/emitter.js';
import { verdict } from './conditions.js';
import type { PipelineEvents } from './events.js';
import type { Condition } from './model.js';
import type { Edge } from './plan.js';
import type { Roster } from './roster.js';

export const STOPPING = 'the pipeline is being stopped';

export class Gate {
  constructor(
    private readonly roster: Roster,
    private readonly events: Emitter<PipelineEvents>,
    /** Aborts when the pipeline is stopped. */
    private readonly signal: AbortSignal,
  ) {}

  /** Resolves with nothing when `waiting` may start, or with the reason why it never will. */
  async pass(waiting: string, edges: readonly Edge[]): Promise<string | undefined> {
    const reasons = await Promise.all(edges.map(({ id, condition }) => this.#until(id, condition, waiting)));
    return reasons.find((one) => one !== undefined) ?? (this.signal.aborted ? STOPPING : undefined);
  }

  #until(id: string, condition: Condition, waiting: string): Promise<string | undefined> {
    return new Promise((resolve) => {
      const look = () => {
        const seen = verdict(condition, this.roster.of(id));
        const given = this.roster.of(waiting).every((unit) => unit.state !== 'pending') ? 'it was stopped while it waited' : this.signal.aborted ? STOPPING : undefined;
        if (seen === 'not yet' && given === undefined) return;
        off();
        offAbort(this.signal, look);
        resolve(typeof seen === 'object' ? seen.never : seen === 'met' ? undefined : given);
      };
      const off = this.events.on('component', look);
      onAbort(this.signal, look);
      look();
    });
  }
}
