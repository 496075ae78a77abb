// The replicas of a pool: brings them up, replaces them, keeps spares warm, grows and shrinks. It never places a call.
// Invariant: a replica leaves the rotation first, then drains, then ends; its replacement is up before that.
import { Meter } from '../rpc/meter.js';
import type { Timer } from '../supervisor/clock.js';
import { Autoscaler } from './autoscaler.js';
import type { Member } from './member.js';
import type { Pool } from './pool.js';
import { Replica } from './replica.js';

/** How often age, memory and load are looked at, ms. */
const TICK_MS = 1_000;
/** While calls wait, the load is looked at this soon, ms. */
const BUSY_TICK_MS = 50;

export class Population {
  #replicas: Replica[] = [];
  #ready: Replica[] | undefined;
  #spares: Member[] = [];
  #starting = 0;
  #warming = 0;
  #target: number;
  #timer: Timer | undefined;
  #timerAt = Infinity;
  #stopped = false;
  #failure: Error | undefined;
  #last: Member | undefined;
  readonly #autoscaler: Autoscaler;
  readonly #retiring = new Set<Promise<void>>();
  readonly #recycling = new Set<Replica>();
  readonly #past = new Meter();

  constructor(
    private readonly pool: Pool,
    private readonly events: { freed(replica: Replica): void; status(replica: Replica): void },
  ) {
    const { min, max, concurrency, idleTimeout } = pool.options;
    this.#target = min;
    this.#autoscaler = new Autoscaler({ min, max, concurrency, idleTimeout });
  }

  /** Why no replica is left. */
  get failure(): Error | undefined {
    return this.#failure;
  }
  get size(): number {
    return this.#replicas.filter(({ retiring }) => !retiring).length;
  }
  get spares(): number {
    return this.#spares.length;
  }

  all(): readonly Replica[] {
    return this.#replicas;
  }

  /** Those in the rotation, by slot. */
  ready(): readonly Replica[] {
    return (this.#ready ??= this.#replicas.filter(({ ready }) => ready));
  }

  /** Some member, for what all have in common. */
  anyMember(): Member | undefined {
    return (this.#last ??= this.#replicas[0]?.member ?? this.#spares[0]);
  }

  /** All that was counted, by those that are gone as well. */
  meters(): Meter[] {
    return [this.#past, ...this.#replicas.map(({ member }) => member.meter), ...this.#spares.map(({ meter }) => meter)];
  }

  /** Brings up the first replicas. Rejects, with nothing left running, when one cannot start. */
  async start(): Promise<void> {
    const { min } = this.pool.options;
    // A pool that may be empty still has to know its methods, and whether its file works at all.
    const probe = min === 0 ? 1 : min;
    const started = await Promise.allSettled(Array.from({ length: probe }, (_, slot) => this.#add(slot)));
    const failed = started.find((result) => result.status === 'rejected');
    if (failed) {
      await this.stop('start failed', 0);
      throw failed.reason;
    }
    if (min === 0) {
      const replica = this.#replicas[0]!;
      if (this.pool.options.max > 0 && this.pool.options.min !== this.pool.options.max) this.#target = 1;
      else await this.#retire(replica, 'size 0');
    }
    this.#warmSpares();
    this.#schedule();
  }

  /** Sets the size by hand; bounds do not apply. Resolves when it is reached. */
  async scale(size: number, reason = 'by hand'): Promise<void> {
    if (this.#stopped) return;
    const from = this.size;
    this.#target = size;
    if (size > from) {
      const slots = this.#freeSlots(size - from);
      await Promise.all(slots.map((slot) => this.#add(slot)));
    } else if (size < from) {
      // The idlest go first, and of those the youngest.
      const leaving = this.#replicas.filter(({ retiring }) => !retiring).sort((a, b) => a.active - b.active || b.slot - a.slot).slice(0, from - size);
      await Promise.all(leaving.map((replica) => this.#retire(replica, 'scale down')));
    }
    if (this.size !== from) this.pool.events.emit('scaled', { from, to: this.size, reason });
  }

  /** Replaces every replica, one after the other; each new one serves before the old one drains. */
  async reload(): Promise<void> {
    for (const replica of this.#replicas.filter(({ retiring }) => !retiring)) await this.#replace(replica, 'reload');
    for (const spare of this.#spares.splice(0)) void spare.stop({ reason: 'reload' });
    this.#warmSpares();
  }

  /** Ends all members. */
  async stop(reason: string, timeout: number | undefined): Promise<void> {
    this.#stopped = true;
    if (this.#timer) this.pool.clock.clearTimeout(this.#timer);
    const members = [...this.#replicas.map(({ member }) => member), ...this.#spares];
    for (const replica of this.#replicas) replica.forget();
    this.#replicas = [];
    this.#spares = [];
    this.#changed();
    await Promise.all([...members.map((member) => member.stop({ reason, timeout })), ...this.#retiring]);
  }

  /** A call was given to `replica`. */
  used(replica: Replica): void {
    if (replica.calls >= this.pool.options.recycleCalls && !replica.retiring) void this.#recycle(replica, 'calls');
  }

  /** The status of a member changed: it died, came back, or is lost for good. */
  memberChanged(replica: Replica): void {
    this.#changed();
    const { member } = replica;
    if (this.#stopped || replica.retiring) return;
    if (member.status === 'restarting') {
      this.pool.events.emit('replica-crashed', { id: member.id, slot: replica.slot });
      const spare = this.#takeSpare();
      if (spare) {
        // The spare serves at once; the one that died becomes the next spare when it is up again.
        this.#swap(replica, spare);
        this.#spares.push(member);
      }
    } else if (member.status === 'failed' || member.status === 'stopped') {
      this.#lose(replica);
    }
  }

  /** Calls wait: look at the load soon. */
  loadChanged(): void {
    const { min, max } = this.pool.options;
    if (min < max) this.#schedule(BUSY_TICK_MS);
  }

  async #add(slot: number): Promise<void> {
    this.#starting++;
    try {
      const member = this.#takeSpare() ?? (await this.pool.context.start(slot));
      if (this.#stopped) {
        await member.stop({ reason: 'pool stopped' });
        return;
      }
      this.#insert(slot, member);
    } finally {
      this.#starting--;
    }
  }

  #insert(slot: number, member: Member): Replica {
    const { concurrency, strategy, weights } = this.pool.options;
    const replica = new Replica(slot, member, { concurrency, timed: strategy.timed === true, weight: weights[slot] ?? 1 }, this.events);
    this.#replicas.push(replica);
    this.#replicas.sort((a, b) => a.slot - b.slot);
    this.#last = member;
    this.#failure = undefined;
    this.#changed();
    this.pool.events.emit('replica-started', { id: member.id, slot });
    this.#warmSpares();
    this.pool.pump();
    return replica;
  }

  #swap(replica: Replica, member: Member): void {
    this.#remove(replica);
    this.#insert(replica.slot, member);
  }

  async #replace(old: Replica, reason: string): Promise<void> {
    const member = this.#takeSpareUnless(reason) ?? (await this.pool.context.start(old.slot));
    if (this.#stopped || !this.#replicas.includes(old)) {
      await member.stop({ reason: 'not needed' });
      return;
    }
    this.#insert(old.slot, member);
    await this.#retire(old, reason);
  }

  /** A spare runs the old code, so a reload does not use it. */
  #takeSpareUnless(reason: string): Member | undefined {
    return reason === 'reload' ? undefined : this.#takeSpare();
  }

  async #recycle(replica: Replica, why: 'calls' | 'age' | 'memory'): Promise<void> {
    if (replica.retiring || this.#stopped || this.#recycling.has(replica)) return;
    this.#recycling.add(replica);
    try {
      this.pool.events.emit('replica-recycled', { id: replica.id, slot: replica.slot, why });
      await this.#replace(replica, `recycle: ${why}`);
    } catch (error) {
      // The old one goes on; the next look tries again.
      this.pool.events.emit('replica-failed', { slot: replica.slot, error: error as Error });
    } finally {
      this.#recycling.delete(replica);
    }
  }

  #retire(replica: Replica, reason: string): Promise<void> {
    replica.retiring = true;
    this.#changed();
    const gone = (async () => {
      this.events.status(replica);
      await replica.idle();
      this.#remove(replica);
      this.#past.absorb(replica.member.meter);
      await replica.member.stop({ reason });
      this.pool.events.emit('replica-stopped', { id: replica.id, slot: replica.slot });
    })();
    this.#retiring.add(gone);
    void gone.finally(() => this.#retiring.delete(gone));
    return gone;
  }

  #lose(replica: Replica): void {
    this.#remove(replica);
    this.#past.absorb(replica.member.meter);
    const error = replica.member.failure ?? new Error(`${replica.id} ended`);
    this.pool.events.emit('replica-failed', { slot: replica.slot, error });
    if (this.#replicas.length === 0 && this.#starting === 0) {
      this.#failure = error;
      this.pool.fail(error);
    }
  }

  #remove(replica: Replica): void {
    replica.forget();
    this.#replicas = this.#replicas.filter((other) => other !== replica);
    this.#changed();
  }

  #takeSpare(): Member | undefined {
    const at = this.#spares.findIndex(({ status }) => status === 'running');
    return at < 0 ? undefined : this.#spares.splice(at, 1)[0];
  }

  #warmSpares(): void {
    while (!this.#stopped && this.#spares.length + this.#warming < this.pool.options.spares) {
      this.#warming++;
      this.pool.context
        .start(-1)
        .then(
          (member) => {
            if (this.#stopped) void member.stop({ reason: 'pool stopped' });
            else this.#spares.push(member);
          },
          (error: unknown) => this.pool.events.emit('replica-failed', { slot: -1, error: error as Error }),
        )
        .finally(() => this.#warming--);
    }
  }

  #freeSlots(count: number): number[] {
    const taken = new Set(this.#replicas.filter(({ retiring }) => !retiring).map(({ slot }) => slot));
    const slots: number[] = [];
    for (let slot = 0; slots.length < count; slot++) if (!taken.has(slot)) slots.push(slot);
    return slots;
  }

  #changed(): void {
    this.#ready = undefined;
  }

  #schedule(delay = TICK_MS): void {
    const { min, max, recycleAge, recycleMemory } = this.pool.options;
    const { clock } = this.pool;
    if (this.#stopped || (min === max && recycleAge === Infinity && recycleMemory === Infinity)) return;
    const at = clock.now() + delay;
    if (this.#timer && this.#timerAt <= at) return;
    if (this.#timer) clock.clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = clock.setTimeout(() => this.#tick(), delay, { unref: true });
  }

  #tick(): void {
    this.#timer = undefined;
    this.#timerAt = Infinity;
    const { min, max, recycleAge, recycleMemory } = this.pool.options;
    if (min < max && this.pool.state === 'running') this.#autoscale();
    for (const replica of this.ready()) {
      if (performance.now() - replica.startedAt >= recycleAge) void this.#recycle(replica, 'age');
      else if (recycleMemory !== Infinity) void this.#checkMemory(replica, recycleMemory);
    }
    this.#schedule(this.pool.pending > 0 ? BUSY_TICK_MS : TICK_MS);
  }

  async #checkMemory(replica: Replica, limit: number): Promise<void> {
    const { memory } = await replica.member.metrics();
    if (memory > limit) await this.#recycle(replica, 'memory');
  }

  #autoscale(): void {
    const size = this.size + this.#starting;
    const target = this.#autoscaler.decide({ now: this.pool.clock.now(), size, starting: this.#starting, active: this.pool.active, queued: this.pool.pending, oldestWait: this.pool.oldestWait() });
    if (target === size) return;
    if (target > size) {
      const from = this.size;
      for (const slot of this.#freeSlots(target - this.size).slice(this.#starting)) {
        this.#add(slot).then(
          () => this.pool.events.emit('scaled', { from, to: this.size, reason: 'load' }),
          (error: unknown) => this.pool.events.emit('replica-failed', { slot, error: error as Error }),
        );
      }
    } else void this.scale(target, 'idle');
    this.#target = target;
  }

  /** The size that the pool is to have. */
  get target(): number {
    return this.#target;
  }
}
