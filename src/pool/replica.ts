// One place in a pool and the process that fills it. Counts what is in flight here, at the moment of choice.
import { asResult } from '../rpc/iterate-result.js';
import { incomingStreamOf } from '../rpc/live-table.js';
import type { CallOptions } from '../types.js';
import type { Halt } from '../supervisor/halt.js';
import type { Member, MemberEvents } from './member.js';
import { PeakEwma } from './strategies/latency.js';
import type { Candidate } from './strategy.js';

export interface ReplicaLimits {
  readonly concurrency: number;
  readonly timed: boolean;
  readonly weight: number;
}

export interface ReplicaEvents {
  /** A place has become free. */
  freed(): void;
  status(replica: Replica): void;
  /** It has shown that it is not stuck. */
  released(): void;
  halted(replica: Replica, halt: Halt): void;
  died(replica: Replica, death: MemberEvents['death']): void;
}

export class Replica implements Candidate {
  active = 0;
  calls = 0;
  /** It takes no new calls: it is being replaced, the pool shrinks, or another has its place. */
  retiring = false;
  readonly #ewma = new PeakEwma();
  readonly #unwatch: readonly (() => void)[];
  readonly #byMethod = new Map<string, number>();
  #idle: (() => void)[] = [];
  /** It may be stuck: it gets nothing before it has answered. */
  #held = false;

  constructor(
    readonly slot: number,
    readonly member: Member,
    /** By the pool's clock. */
    readonly startedAt: number,
    private readonly limits: ReplicaLimits,
    private readonly events: ReplicaEvents,
  ) {
    this.#unwatch = [
      member.onStatus(() => events.status(this)),
      member.hear('halt', (halt) => events.halted(this, halt)),
      member.hear('death', (death) => events.died(this, death)),
      member.hear('held', (held) => {
        this.#held = held;
        if (!held) events.released();
      }),
    ];
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
    return this.active < this.limits.concurrency && !this.#held && this.ready;
  }

  /** Calls of a method with a `concurrency` of its own that run here. */
  running(method: string): number {
    return this.#byMethod.get(method) ?? 0;
  }

  /** Takes a place and runs a call in it. `limited`: the method has a `concurrency` of its own. */
  run(method: string, args: unknown[], options: CallOptions, limited: boolean): Promise<unknown> {
    return asResult(this.#run(method, args, options, limited));
  }

  // Awaited, not watched by a second `then`: with one reaction to each promise the engine knows who waits, and stacks reach the caller.
  async #run(method: string, args: unknown[], options: CallOptions, limited: boolean): Promise<unknown> {
    this.active++;
    this.calls++;
    if (limited) this.#byMethod.set(method, this.running(method) + 1);
    const started = this.limits.timed ? performance.now() : 0;
    let value: unknown;
    try {
      value = await this.member.invoke(method, args, options);
      return value;
    } finally {
      if (started > 0) this.#measure(started);
      // A call that streams holds its place until its stream ends.
      const stream = incomingStreamOf(value);
      if (stream) stream.onEnd(() => this.#release(method, limited));
      else this.#release(method, limited);
    }
  }

  #measure(started: number): void {
    const now = performance.now();
    this.#ewma.record(now - started, now);
  }

  #release(method: string, limited: boolean): void {
    if (limited) this.#byMethod.set(method, this.running(method) - 1);
    this.active--;
    if (this.active === 0 && this.#idle.length > 0) for (const resolve of this.#idle.splice(0)) resolve();
    this.events.freed();
  }

  /** Resolves when nothing is in flight. */
  idle(): Promise<void> {
    return this.active === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  forget(): void {
    this.retiring = true;
    for (const unwatch of this.#unwatch) unwatch();
  }
}
