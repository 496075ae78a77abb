// The end of one unit: the grace that can only shrink, the hooks' signals, and the pace of retries.
// The signal of the terminating hook aborts once, when the grace is over; a retry after that has a grace of 0.
import { backoffDelay, jitter, type Backoff } from './backoff.js';
import { guarded } from './emitter.js';
import type { Engine } from './engine.js';
import type { TerminatingContext } from './syncer.js';

/** `TerminateOptions`, checked: the grace is in milliseconds. */
export interface TerminationRequest {
  gracePeriod?: number | undefined;
  evict?: boolean | undefined;
  onStatus?: ((status: unknown) => void) | undefined;
}

export class Termination<Config> {
  readonly #engine: Engine<Config>;
  readonly #id: string;
  readonly #generation: number;
  readonly #listeners: ((status: unknown) => void)[] = [];
  #grace: number | undefined;
  #startedAt: number | undefined;
  #running: AbortController | undefined;
  #hurried = false;
  #attempts = 0;
  evict = false;

  constructor(engine: Engine<Config>, id: string, generation: number) {
    this.#engine = engine;
    this.#id = id;
    this.#generation = generation;
  }

  /** The whole grace, as short as it was ever asked for. */
  get gracePeriod(): number {
    return this.#grace ?? this.#engine.gracePeriod;
  }

  merge(request: TerminationRequest): void {
    if (request.gracePeriod !== undefined) this.#grace = Math.min(this.#grace ?? Infinity, request.gracePeriod);
    if (request.evict) this.evict = true;
    if (request.onStatus) this.#listeners.push(request.onStatus);
    if (this.#running && this.#startedAt !== undefined) this.#armDeadline();
  }

  /** Kill now. */
  hurry(): void {
    this.#hurried = true;
    this.#running?.abort(new DOMException(`the grace of ${this.#id} is over`, 'TimeoutError'));
  }

  async runTerminating(config: Config): Promise<void> {
    const { clock, syncer, deadlines } = this.#engine;
    this.#startedAt ??= clock.now();
    const remaining = () => (this.#hurried ? 0 : Math.max(0, this.gracePeriod - (clock.now() - this.#startedAt!)));
    const first = this.#attempts === 0;
    const controller = (this.#running = new AbortController());
    const listeners = this.#listeners;
    const { onError } = this.#engine;
    // As short as it has become by the time it is read.
    const grace = () => (first && !this.#hurried ? this.gracePeriod : remaining());
    const ctx: TerminatingContext = {
      id: this.#id,
      generation: this.#generation,
      get gracePeriod() { return grace(); },
      signal: controller.signal,
      report(status) {
        for (const listener of listeners) guarded('onStatus', onError, () => listener(status));
      },
    };
    if (remaining() > 0) this.#armDeadline();
    try {
      await syncer.syncTerminatingProcess(ctx, config);
      this.#attempts = 0;
    } finally {
      this.#running = undefined;
      deadlines.delete(this.#id);
    }
  }

  async runTerminated(config: Config): Promise<void> {
    const controller = (this.#running = new AbortController());
    try {
      await this.#engine.syncer.syncTerminatedProcess({ id: this.#id, generation: this.#generation, signal: controller.signal }, config);
    } finally {
      this.#running = undefined;
    }
  }

  retryDelay(transient: boolean): number {
    const { backOffPeriod, random } = this.#engine;
    const attempt = this.#attempts++;
    return transient ? jitter(1000, 0.5, random) : backoffDelay(terminationBackoff(backOffPeriod), attempt, random);
  }

  #armDeadline(): void {
    const { clock, deadlines } = this.#engine;
    deadlines.add(this.#id, this.#startedAt! + this.gracePeriod - clock.now());
  }
}

/** Upstream's: one second, doubled, up to the cap. */
export const terminationBackoff = (cap: number): Backoff => ({ type: 'exponential', initial: Math.min(1000, cap), max: cap, jitter: 0.25 });
