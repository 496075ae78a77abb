// When a thread of a CPU pool is started again after its death, or after a start that failed: by the same policy as any process.
import type { Halt } from '../../supervisor/halt.js';
import type { RestartPolicy } from '../../supervisor/restart-options.js';
import { limitText, RestartTracker, type ExitEvent, type StopReason } from '../../supervisor/restart-policy.js';
import { MAX_TIMEOUT } from '../../units.js';

export class Revival {
  /** A limit of the policy is met: it rests. */
  halt: Halt | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #tracker: RestartTracker;

  constructor(
    private readonly policy: RestartPolicy,
    private readonly start: () => void,
  ) {
    this.#tracker = new RestartTracker(policy);
  }

  /** It came up. */
  up(): void {
    this.#tracker.onStart(Date.now());
  }

  /** Plans the next start. Answers why there is none, when the policy wants none. */
  after(cause: Error, how: Pick<ExitEvent, 'clean' | 'served' | 'start'>): StopReason | undefined {
    const decision = this.#tracker.onExit({ now: Date.now(), ...how });
    if (decision.action === 'stop') return decision.reason;
    const { limit } = decision;
    const delay = Math.min(decision.delay, MAX_TIMEOUT);
    this.halt = limit && { limit, cause, why: limitText(this.policy, limit), until: performance.now() + delay };
    this.#timer = setTimeout(() => this.now(), delay);
    return undefined;
  }

  now(): void {
    this.cancel();
    this.start();
  }

  /** Somebody asks for it: what failed before is forgiven. */
  anew(): void {
    this.#tracker.reset();
    this.now();
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.halt = undefined;
  }
}
