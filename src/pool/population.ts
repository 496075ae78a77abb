// The replicas of a pool: brings them up, replaces them, grows and shrinks. It never places a call.
// Invariants: a replica leaves the rotation first, then drains, then ends; its replacement is up before that. Whatever is
// started here is in a place, a spare, or stopped, however the pool changes meanwhile.
import { InvalidOptionError, ProcessStoppedError } from '../errors.js';
import type { Meter } from '../rpc/meter.js';
import { Autoscaler } from './autoscaler.js';
import { Hesitation } from './hesitation.js';
import { Look } from './look.js';
import type { Member } from './member.js';
import { Parted } from './parted.js';
import type { Pool } from './pool.js';
import { Recycler } from './recycler.js';
import { Replica, type ReplicaEvents } from './replica.js';
import { Spares } from './spares.js';
import { failureOf, freeSlots, refusalOf, type Refusal } from './standing.js';

/** How long after a spare was taken the next one is started, ms. */
const REFILL_AFTER_MS = 20;

export class Population {
  #replicas: Replica[] = [];
  #ready: Replica[] | undefined;
  #target: number;
  /** Replicas that gave up and were not replaced. */
  #lost = 0;
  #failure: Error | undefined;
  #last: Member | undefined;
  #generation = 0;
  #reloading: Promise<void> = Promise.resolve();
  /** Places for which a process is being started. */
  readonly #starting = new Map<number, Promise<void>>();
  /** Starts and ends that run: `stop` waits for them. */
  readonly #pending = new Set<Promise<unknown>>();
  readonly #generations = new WeakMap<Member, number>();
  readonly #stop = new AbortController();
  readonly #hesitation: Hesitation;
  readonly #parted = new Parted((member) => this.#back(member));
  readonly #spares: Spares;
  readonly #autoscaler: Autoscaler;
  readonly #look: Look;
  readonly #recycler: Recycler;

  constructor(
    private readonly pool: Pool,
    private readonly events: ReplicaEvents,
  ) {
    const { min, max, concurrency, idleTimeout, spares } = pool.options;
    this.#target = min;
    this.#hesitation = new Hesitation(() => pool.clock.now());
    this.#autoscaler = new Autoscaler({ min, max, concurrency, idleTimeout });
    this.#look = new Look(pool, () => this.#tick());
    this.#recycler = new Recycler(pool, {
      ready: () => this.ready(),
      replace: (replica, reason) => this.#replace(replica, reason),
      failed: (slot, error) => this.#startFailed(slot, error),
      maySpend: () => !this.#stopped && this.#hesitation.over,
    });
    this.#spares = new Spares({ wanted: spares, clock: pool.clock, start: () => this.#start() }, {
      failed: (error) => this.#spares.warmLater(this.#startFailed(-1, error)),
      ready: () => this.#swap(this.#live().find(({ member }) => member.halt)),
      lost: (member) => {
        this.#parted.add(member);
        this.pool.events.emit('replica-failed', { slot: -1, error: failureOf(member) });
      },
    });
  }

  /** Why no place is left for a call; undefined while there is one, or will be as soon as it is up. */
  get refusal(): Refusal | undefined {
    if (this.#failure) return { error: this.#failure, halt: undefined };
    const { min, max } = this.pool.options;
    // One that scales may have room for another process.
    const grows = min < max && this.size + this.#lost < max && this.#hesitation.over;
    return grows || this.#starting.size > 0 ? undefined : refusalOf(this.#live());
  }
  /** The size that the pool is to have. */
  get target(): number {
    return this.#target;
  }
  /** Replicas that gave up and were not replaced. */
  get lost(): number {
    return this.#lost;
  }
  get size(): number {
    return this.#live().length;
  }
  get spares(): number {
    return this.#spares.ready;
  }
  get restarts(): number {
    return this.#replicas.reduce((sum, { member }) => sum + member.restarts, this.#last && this.#replicas.length === 0 ? this.#last.restarts : 0);
  }
  get #stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** By slot; those that finish their last calls among them. */
  all(): readonly Replica[] {
    return this.#replicas;
  }

  /** Those in a place and the spares. */
  members(): Member[] {
    return [...this.#replicas.map(({ member }) => member), ...this.#spares.members];
  }

  #live(): Replica[] {
    return this.#replicas.filter(({ retiring }) => !retiring);
  }

  /** Those in the rotation, by slot. */
  ready(): readonly Replica[] {
    return (this.#ready ??= this.#replicas.filter(({ ready }) => ready));
  }

  anyMember(): Member | undefined {
    return this.#last;
  }

  meters(): Meter[] {
    return [...this.#parted.meters(), ...this.members().map(({ meter }) => meter)];
  }

  // ── size ──

  /** Brings up the first replicas. Rejects, with nothing left running, when one cannot start. */
  async start(): Promise<void> {
    const { min, max } = this.pool.options;
    // A pool that may be empty still has to know its methods, and whether its file works at all.
    this.#target = Math.max(1, min);
    const started = await Promise.allSettled(this.#grow());
    const failed = started.find((result) => result.status === 'rejected');
    if (failed) {
      await this.pool.stop({ timeout: 0, reason: 'start failed' });
      throw failed.reason;
    }
    if (this.#stopped) throw new ProcessStoppedError(`${this.pool.name}: the pool was stopped while it started`, { process: this.pool.name });
    if (max === 0) await this.scale(0, 'size 0');
    this.#spares.warm();
    this.#look.soon();
  }

  /** Sets the size; resolves when it is reached. Rejects when a process cannot be started. */
  async scale(size: number, reason = 'by hand'): Promise<void> {
    const { min, max } = this.pool.options;
    if (!Number.isInteger(size) || size < 0) throw new InvalidOptionError(`scale: ${String(size)} is not a whole number of at least 0`, { option: 'size' });
    if (min < max && (size < min || size > max)) throw new InvalidOptionError(`scale: ${size} is outside of the pool's bounds, ${min} to ${max}`, { option: 'size' });
    if (this.#stopped) throw new ProcessStoppedError(`${this.pool.name}: the pool is stopped`, { process: this.pool.name });
    const from = this.size;
    if (reason === 'by hand') this.#forgive();
    this.#target = size;
    const again = reason === 'by hand' ? this.#live().filter(({ member }) => member.halt) : [];
    const results = await Promise.allSettled([...this.#grow(), ...this.#starting.values(), ...this.#shrink(reason), ...again.filter(({ retiring }) => !retiring).map(({ member }) => member.retry())]);
    if (this.size !== from) this.pool.events.emit('scaled', { from, to: this.size, reason });
    const failed = results.find((result) => result.status === 'rejected');
    if (!failed) return;
    if (this.#target === size) this.#target = Math.max(this.size, min);
    throw failed.reason;
  }

  /** An explicit request clears what was given up. */
  #forgive(): void {
    this.#lost = 0;
    this.#failure = undefined;
    this.#hesitation.forgive();
    this.#spares.forgive();
    this.#spares.warm();
  }

  /** Starts what is missing. */
  #grow(): Promise<void>[] {
    const taken = new Set([...this.#live().map(({ slot }) => slot), ...this.#starting.keys()]);
    return freeSlots(taken, this.#target - taken.size).map((slot) => this.#add(slot));
  }

  #add(slot: number): Promise<void> {
    const adding = this.#bringUp(slot);
    this.#starting.set(slot, adding);
    const over = () => void this.#starting.delete(slot);
    adding.then(over, over);
    return adding;
  }

  async #bringUp(slot: number): Promise<void> {
    // Not before it is known to be on its way.
    await undefined;
    const member = this.#spares.take() ?? (await this.#start());
    // The pool may have shrunk meanwhile.
    if (this.#stopped || this.size >= this.#target) this.#dismiss(member, 'not needed');
    else this.#insert(slot, member);
  }

  /** The idlest go first, and of those the youngest. */
  #shrink(reason: string): Promise<void>[] {
    const live = this.#live();
    const leaving = live.sort((a, b) => Number(a.ready) - Number(b.ready) || a.active - b.active || b.slot - a.slot).slice(0, Math.max(0, live.length - this.#target));
    return leaving.map((replica) => this.#retire(replica, reason));
  }

  // ── one by one ──

  #start(): Promise<Member> {
    const generation = this.#generation;
    const started = this.pool.context.start({ generation, signal: this.#stop.signal }).then((member) => {
      this.#generations.set(member, generation);
      if (!this.#stopped) return member;
      this.#dismiss(member, 'pool stopped');
      throw new ProcessStoppedError(`${this.pool.name}: the pool was stopped`, { process: this.pool.name });
    });
    return this.#track(started);
  }

  #insert(slot: number, member: Member): void {
    const { concurrency, strategy, weights } = this.pool.options;
    const replica = new Replica(slot, member, this.pool.clock.now(), { concurrency, timed: strategy.timed === true, weight: weights[slot] ?? 1 }, this.events);
    this.#replicas.push(replica);
    this.#replicas.sort((a, b) => a.slot - b.slot);
    this.#last = member;
    this.#failure = undefined;
    this.#hesitation.forgive();
    this.pool.events.emit('replica-started', { id: member.id, slot });
    // A moment later: booting the next spare at once would slow down the first calls of this one.
    this.#spares.warmLater(REFILL_AFTER_MS);
    this.#changed();
    // It may have ended before anybody listened.
    if (member.status !== 'running') this.memberChanged(replica);
  }

  /** The status of a member changed: it died, came back, or is lost for good. */
  memberChanged(replica: Replica): void {
    this.#changed();
    const { member } = replica;
    if (this.#stopped || replica.retiring) return;
    if (member.status === 'restarting') {
      this.pool.events.emit('replica-crashed', { id: member.id, slot: replica.slot });
      this.#swap(replica);
    } else if (member.status === 'failed' || member.status === 'stopped') this.#lose(replica);
  }

  /** A spare, if one is ready, serves in the place of one that is down, which is the next spare when it is up again. */
  #swap(replica: Replica | undefined): void {
    const spare = replica && this.#spares.take();
    if (!spare) return;
    this.#remove(replica);
    this.#spares.add(replica.member);
    this.#insert(replica.slot, spare);
  }

  #lose(replica: Replica): void {
    this.#remove(replica);
    this.#parted.add(replica.member);
    const error = failureOf(replica.member);
    this.pool.events.emit('replica-failed', { slot: replica.slot, error });
    const spare = this.#spares.take();
    if (spare) return this.#insert(replica.slot, spare);
    this.#lost++;
    if (this.#replicas.length > 0 || this.#starting.size > 0) return;
    this.#failure = error;
    this.pool.fail({ error, halt: undefined });
  }

  #remove(replica: Replica): void {
    replica.forget();
    this.#replicas = this.#replicas.filter((other) => other !== replica);
    this.#changed();
  }

  /** Puts a new process in the place of `old`. */
  async #replace(old: Replica, reason: string): Promise<boolean> {
    const member = this.#spares.take() ?? (await this.#start());
    if (this.#stopped || old.retiring) {
      this.#dismiss(member, 'not needed');
      return false;
    }
    this.#insert(old.slot, member);
    await this.#retire(old, reason);
    return true;
  }

  #retire(replica: Replica, reason: string): Promise<void> {
    replica.retiring = true;
    this.#changed();
    const leave = async () => {
      await replica.idle();
      if (this.#stopped) return;
      this.#remove(replica);
      this.#parted.add(replica.member);
      await replica.member.stop({ reason });
      this.pool.events.emit('replica-stopped', { id: replica.id, slot: replica.slot });
    };
    return this.#track(leave());
  }

  /** One that was given up or ended was started again by hand: it has a place if one is free. */
  #back(member: Member): void {
    const taken = new Set([...this.#live().map(({ slot }) => slot), ...this.#starting.keys()]);
    if (this.#stopped || taken.size >= this.#target) return this.#dismiss(member, 'not needed');
    this.#lost = Math.max(0, this.#lost - 1);
    this.#insert(freeSlots(taken, 1)[0]!, member);
  }

  /** Ends a process that has no place. */
  #dismiss(member: Member, reason: string): void {
    this.#parted.add(member);
    this.#track(member.stop({ reason })).catch((error: unknown) => this.pool.events.emit('replica-failed', { slot: -1, error: error as Error }));
  }

  /** Replaces every replica, one after the other; each new one serves before the old one drains. */
  reload(): Promise<void> {
    // One after the other: who asks during a reload has changed the file once more.
    const reloaded = this.#reloading.then(() => this.#reload());
    this.#reloading = reloaded.catch(() => {});
    return reloaded;
  }

  async #reload(): Promise<void> {
    if (this.#stopped) throw new ProcessStoppedError(`${this.pool.name}: the pool is stopped`, { process: this.pool.name });
    this.#generation++;
    // Spares run the old code.
    for (const spare of this.#spares.takeAll()) this.#dismiss(spare, 'reload');
    this.#forgive();
    const old = () => this.#live().find(({ member }) => this.#generations.get(member) !== this.#generation);
    for (let replica = old(); replica || this.#starting.size > 0; replica = old()) {
      if (this.#stopped) return;
      if (replica) await this.#replace(replica, 'reload');
      else await Promise.allSettled(this.#starting.values());
    }
    // What was lost before, or meanwhile, has its place again.
    this.#lost = 0;
    await Promise.all(this.#grow());
  }

  // ── looking after them ──

  /** A call was given to `replica`. */
  used(replica: Replica): void {
    this.#recycler.used(replica);
  }

  /** Calls wait: look at the load soon. */
  loadChanged(): void {
    this.#look.soon();
  }

  #tick(): void {
    const { min, max, recycleAge, recycleMemory } = this.pool.options;
    if (min < max && this.pool.state === 'running' && !this.#failure) this.#autoscale();
    if (recycleAge !== Infinity || recycleMemory !== Infinity) void this.#recycler.look();
  }

  #autoscale(): void {
    const { pool } = this;
    const starting = this.#starting.size;
    // Places that were given up count: they are not to be filled for ever.
    const size = this.size + starting + this.#lost;
    const target = this.#autoscaler.decide({ now: pool.clock.now(), size, starting, active: pool.active, queued: pool.pending, oldestWait: pool.oldestWait() });
    if (target === size || (target > size && !this.#hesitation.over)) return;
    this.scale(target - this.#lost, target > size ? 'load' : 'idle').catch((error: unknown) => void this.#startFailed(this.size, error as Error));
  }

  /** Answers when another start may be tried, ms from now. */
  #startFailed(slot: number, error: Error): number {
    if (!this.#stopped) this.pool.events.emit('replica-failed', { slot, error });
    const delay = this.#hesitation.failed();
    if (this.refusal) this.pool.fail(this.refusal);
    return delay;
  }

  // ── the end ──

  /** Ends all members. */
  async stop(reason: string, timeout: number | undefined): Promise<void> {
    this.#stop.abort(new ProcessStoppedError(`${this.pool.name}: the pool was stopped`, { process: this.pool.name }));
    this.#look.end();
    this.#spares.end();
    const members = [...this.#replicas.map(({ member }) => member), ...this.#spares.takeAll()];
    for (const replica of this.#replicas) replica.forget();
    this.#changed();
    const stops = await Promise.allSettled(members.map((member) => member.stop({ reason, timeout })));
    for (const member of members) this.#parted.add(member);
    this.#parted.end();
    this.#replicas = [];
    // Those that were on their way out wait for calls which are over now.
    await Promise.allSettled(this.#pending);
    const failed = stops.find((stop) => stop.status === 'rejected');
    if (failed) throw failed.reason;
  }

  #track<T>(promise: Promise<T>): Promise<T> {
    this.#pending.add(promise);
    const over = () => void this.#pending.delete(promise);
    promise.then(over, over);
    return promise;
  }

  #changed(): void {
    this.#ready = undefined;
    this.pool.rotationChanged();
  }
}
