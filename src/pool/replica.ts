// One place in a pool and the process that fills it. Counts what is in flight here, at the moment of choice.
import type { CallOptions } from '../types.js';
import type { Member } from './member.js';
import { PeakEwma } from './strategies/latency.js';
import type { Candidate } from './strategy.js';
import type { WaitingCall } from './waiting-call.js';

export interface ReplicaLimits {
  readonly concurrency: number;
  readonly timed: boolean;
  readonly weight: number;
}

export class Replica implements Candidate {
  active = 0;
  calls = 0;
  /** It takes no new calls: it is being replaced or the pool shrinks. */
  retiring = false;
  readonly startedAt = performance.now();
  /** Calls that only this replica may run, and that wait for it. */
  readonly bound: WaitingCall[] = [];
  readonly #ewma = new PeakEwma();
  readonly #unwatch: () => void;
  #idle: (() => void)[] = [];

  constructor(
    readonly slot: number,
    readonly member: Member,
    private readonly limits: ReplicaLimits,
    private readonly events: { freed(replica: Replica): void; status(replica: Replica): void },
  ) {
    this.#unwatch = member.onStatus(() => events.status(this));
  }

  get id(): string {
    return this.member.id;
  }
  get weight(): number {
    return this.limits.weight;
  }
  get latency(): number {
    return this.#ewma.value;
  }
  get ready(): boolean {
    return !this.retiring && this.member.status === 'running';
  }
  get free(): boolean {
    return this.ready && this.active < this.limits.concurrency;
  }

  /** Takes a place; `release` must follow. */
  reserve(): void {
    this.active++;
    this.calls++;
  }

  release(): void {
    this.active--;
    if (this.active === 0) for (const resolve of this.#idle.splice(0)) resolve();
    this.events.freed(this);
  }

  /** Runs a call in a place that was reserved. */
  run(method: string, args: unknown[], options: CallOptions): Promise<unknown> {
    const started = this.limits.timed ? performance.now() : 0;
    const settled = this.limits.timed
      ? () => {
          const now = performance.now();
          this.#ewma.record(now - started, now);
          this.release();
        }
      : this.#release;
    const result = this.member.invoke(method, args, options);
    result.then(settled, settled);
    return result;
  }

  readonly #release = () => this.release();

  /** Resolves when nothing is in flight. */
  idle(): Promise<void> {
    return this.active === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  forget(): void {
    this.#unwatch();
  }
}
