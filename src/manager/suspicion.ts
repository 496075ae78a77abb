// Whether the event loop of a process is stuck, asked when a call was given up or a health check got no answer, one question at a
// time; and which methods may have ended it.
import type { Meter } from '../rpc/meter.js';
import type { RunningProcess } from '../runtime/start.js';
import { loopTurns } from './probe.js';

export class Suspicion {
  /** Methods of the calls that were given up since it answered last: one of them may hold the loop. */
  readonly #methods = new Set<string>();
  #asking = false;

  /** True when nothing was heard of it for `ms`; false also while that is being found out. */
  async stuck(running: RunningProcess, ms: number, method: string | undefined): Promise<boolean> {
    if (method !== undefined) this.#methods.add(method);
    if (this.#asking) return false;
    this.#asking = true;
    try {
      if (!(await loopTurns(running, ms))) return true;
      this.#methods.clear();
      return false;
    } finally {
      this.#asking = false;
    }
  }

  /**
   * It has died: the methods of the calls that were in flight, or had been given up before it answered. Where one of them has
   * never been answered, those that have are innocent.
   */
  blamed(inFlight: ReadonlySet<string>, meter: Meter): string[] {
    const methods = [...new Set([...this.#methods, ...inFlight])];
    this.#methods.clear();
    const never = methods.filter((name) => meter.answered(name) === 0);
    return never.length > 0 ? never : methods;
  }
}
