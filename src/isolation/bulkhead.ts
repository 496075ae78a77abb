// The engine of isolation: ids to things, one start an id however many ask, eviction of what nobody uses, and room for new ones.
// Invariant: for one id there is at most one thing at a time, and never more things than `maxProcesses` in all.
import { IsolationFullError, ProcessStoppedError, RestartsExhaustedError, UnitNotFoundError } from '../errors.js';
import { Emitter, type ErrorSink } from '../supervisor/emitter.js';
import { toError } from '../supervisor/engine.js';
import { WorkQueue } from '../supervisor/work-queue.js';
import type { IsolationBackend } from './backend.js';
import type { Entry, IsolationStatus, IsolationStopReason } from './entry.js';
import type { IsolationKey } from './key.js';
import { resolveBulkheadOptions, type BulkheadOptions, type ResolvedBulkheadOptions } from './options.js';

export interface IsolationEvents {
  /** Up. `took`: milliseconds from being asked for. */
  start: { id: string; key: IsolationKey; took: number };
  /** Nothing of it runs any more. */
  stop: { id: string; key: IsolationKey; reason: IsolationStopReason };
  /** It could not be started, or was given up by its restart policy. */
  failed: { id: string; key: IsolationKey; during: 'start' | 'run'; error: Error };
}

export class Bulkhead<Config, Value> {
  readonly #backend: IsolationBackend<Config, Value>;
  readonly #options: ResolvedBulkheadOptions;
  /** In the order of last use, as far as being asked for goes. */
  readonly #entries = new Map<string, Entry<Config, Value>>();
  readonly #events: Emitter<IsolationEvents>;
  readonly #onError: ErrorSink;
  readonly #idle: WorkQueue<string>;
  #places = 0;
  #closed = false;

  constructor(backend: IsolationBackend<Config, Value>, options: BulkheadOptions = {}) {
    this.#backend = backend;
    this.#options = resolveBulkheadOptions(options);
    this.#onError = this.#options.onError;
    this.#events = new Emitter(this.#onError);
    this.#idle = new WorkQueue({ clock: this.#options.clock, unref: true, onDue: (id) => this.#onIdleDue(id) });
  }

  on<Name extends keyof IsolationEvents>(name: Name, listener: (event: IsolationEvents[Name]) => unknown): () => void {
    return this.#events.on(name, listener);
  }

  /** Processes that take a place: those that start, run or stop. */
  get processes(): number {
    return this.#places;
  }

  /**
   * The entry of `id`, started if it is not there; all who ask meanwhile share that one start.
   * @throws what the start threw; IsolationFullError; ProcessStoppedError; the reason why the key was given up, while it cools down
   */
  async get(id: string, key: IsolationKey, config: () => Config): Promise<Entry<Config, Value>> {
    for (;;) {
      if (this.#closed) throw stopped(id, 'the isolation has been shut down');
      const known = this.#entries.get(id);
      switch (known?.state) {
        case 'running':
          this.#giveOut(known);
          return known;
        case 'starting': {
          const entry = await known.started;
          this.#giveOut(entry);
          return entry;
        }
        case 'stopping':
          await known.stopped!.catch(() => undefined);
          continue;
        case 'failed':
          if (!this.#cooled(known)) throw this.#cooling(known);
          this.#entries.delete(id);
      }
      const entry = await this.#begin(id, key, config(), known).started;
      this.#giveOut(entry);
      return entry;
    }
  }

  /** Who was given up may be tried again. */
  cooled(id: string): boolean {
    const entry = this.#entries.get(id);
    return entry?.state === 'failed' && this.#cooled(entry);
  }

  /** Why a key is not started now, and calls of it are refused; undefined when it is not given up. */
  cooling(id: string): Error | undefined {
    const entry = this.#entries.get(id);
    return entry?.state === 'failed' ? this.#cooling(entry) : undefined;
  }

  #cooled({ failedAt }: Entry<Config, Value>): boolean {
    return this.#now() - failedAt >= this.#options.cooldown;
  }

  #cooling({ error, failedAt }: Entry<Config, Value>): Error {
    if (!(error instanceof RestartsExhaustedError)) return error!;
    const { message, process, restarts, limit, cause } = error;
    const retryAfter = Math.max(1, Math.ceil(failedAt + this.#options.cooldown - this.#now()));
    return new RestartsExhaustedError(message, { process, restarts, ...(limit && { limit }), retryAfter, cause });
  }

  peek(id: string): Entry<Config, Value> | undefined {
    return this.#entries.get(id);
  }

  list(): IsolationStatus<Config>[] {
    return [...this.#entries.values()].map((entry) => this.status(entry));
  }

  values(): Iterable<Entry<Config, Value>> {
    return this.#entries.values();
  }

  status(entry: Entry<Config, Value>): IsolationStatus<Config> {
    const { id, key, config, state, createdAt, error } = entry;
    return { id, key, config, state, createdAt, error, busy: this.#busy(entry), lastUsed: this.#lastUsed(entry) };
  }

  /** Ends the thing of `id`; a start under way is cut short. @throws UnitNotFoundError */
  async terminate(id: string, gracePeriod?: number): Promise<void> {
    const entry = this.#entries.get(id);
    if (!entry) throw new UnitNotFoundError(`process ${id} not found`, { id });
    await this.#end(entry, 'terminate', gracePeriod);
  }

  /** Takes no more keys, and forgets all timers. What runs goes on until it is ended. */
  close(): void {
    this.#closed = true;
    this.#idle.clear();
  }

  /** Ends all, at the same time. */
  async shutdown(gracePeriod?: number): Promise<void> {
    this.close();
    await Promise.all(Array.from(this.#entries.values(), (entry) => this.#end(entry, 'shutdown', gracePeriod)));
  }

  #now(): number {
    return this.#options.clock.now();
  }

  /** `before`: it was given up; a start that fails leaves it so, for another cooldown. */
  #begin(id: string, key: IsolationKey, config: Config, before: Entry<Config, Value> | undefined): Entry<Config, Value> {
    const now = this.#now();
    const entry: Entry<Config, Value> = {
      id, key, config, createdAt: now, askedAt: now, cancel: new AbortController(), state: 'starting', value: undefined,
      started: undefined as never, stopped: undefined, fresh: false, inherited: false, early: undefined, error: undefined, failedAt: 0,
    };
    this.#entries.set(id, entry);
    entry.started = this.#start(entry, before?.state === 'failed' ? before : undefined);
    // Who ends it while it starts may be the only one who hears of it.
    entry.started.catch(() => undefined);
    return entry;
  }

  async #start(entry: Entry<Config, Value>, before: Entry<Config, Value> | undefined): Promise<Entry<Config, Value>> {
    const { id, key, config, cancel: { signal } } = entry;
    try {
      await this.#takePlace(entry);
    } catch (error) {
      this.#entries.delete(id);
      if (before && !this.#closed && !signal.aborted) this.#entries.set(id, before);
      throw error;
    }
    try {
      signal.throwIfAborted();
      entry.value = await this.#backend.start({ id, key, config, signal, gone: (error) => this.#onGone(entry, error), back: () => this.#onBack(entry) });
    } catch (thrown) {
      this.#forget(entry);
      const error = signal.aborted ? (signal.reason as Error) : thrown;
      if (before && !signal.aborted && !this.#closed) {
        Object.assign(entry, { state: 'failed', value: before.value, failedAt: this.#now(), error: startedInVain(id, toError(thrown)) });
        this.#entries.set(id, entry);
      }
      if (!signal.aborted) this.#events.emit('failed', { id, key, during: 'start', error: toError(thrown) });
      throw error;
    }
    entry.state = 'running';
    this.#events.emit('start', { id, key, took: this.#now() - entry.createdAt });
    if (signal.aborted) {
      await this.#stop(entry, 'terminate', 0);
      throw signal.reason;
    }
    if (entry.early) this.#onGone(entry, entry.early.error);
    this.#lookWhenIdle(entry, this.#options.idleTimeout);
    return entry;
  }

  /** Waits for a place among `maxProcesses`, making one if need be. */
  async #takePlace(entry: Entry<Config, Value>): Promise<void> {
    const { signal } = entry.cancel;
    for (;;) {
      if (this.#places < this.#options.maxProcesses) {
        this.#places++;
        return;
      }
      const leaving = this.#leaving() ?? this.#leastRecentlyUsed();
      if (leaving) {
        leaving.inherited = true;
        const gone = leaving.stopped ?? this.#stop(leaving, 'lru', undefined);
        await gone.catch((error: unknown) => this.#onError(error, `the eviction of ${leaving.id}`));
        // Its place is this entry's own now, also if nobody wants it any more: the caller gives it back.
        if (signal.aborted) this.#places--;
        signal.throwIfAborted();
        return;
      }
      if (![...this.#entries.values()].some(({ fresh }) => fresh)) throw full(entry.id, this.#options.maxProcesses);
      // Those who have just been given a process make their first call now, or they do not need it.
      await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
    }
  }

  #leaving(): Entry<Config, Value> | undefined {
    for (const entry of this.#entries.values()) if (entry.state === 'stopping' && !entry.inherited) return entry;
    return undefined;
  }

  #leastRecentlyUsed(): Entry<Config, Value> | undefined {
    let oldest: Entry<Config, Value> | undefined;
    let oldestUse = Infinity;
    for (const entry of this.#entries.values()) {
      if (entry.state !== 'running' || entry.fresh || this.#busy(entry)) continue;
      const used = this.#lastUsed(entry);
      if (used >= oldestUse) continue;
      oldest = entry;
      oldestUse = used;
    }
    return oldest;
  }

  #giveOut(entry: Entry<Config, Value>): void {
    entry.askedAt = this.#now();
    // The last one asked for stands last.
    if (this.#entries.get(entry.id) === entry) {
      this.#entries.delete(entry.id);
      this.#entries.set(entry.id, entry);
    }
    if (entry.fresh || this.#options.maxProcesses === Infinity) return;
    entry.fresh = true;
    setImmediate(() => (entry.fresh = false));
  }

  #busy({ state, value }: Entry<Config, Value>): boolean {
    return state === 'running' && (this.#backend.busy?.(value as Value) ?? false);
  }

  #lastUsed({ state, value, askedAt }: Entry<Config, Value>): number {
    return state === 'running' ? Math.max(askedAt, this.#backend.lastActive?.(value as Value) ?? 0) : askedAt;
  }

  #lookWhenIdle(entry: Entry<Config, Value>, delay: number): void {
    if (!this.#closed && entry.state === 'running') this.#idle.add(entry.id, delay);
  }

  #onIdleDue(id: string): void {
    const entry = this.#entries.get(id);
    if (entry?.state !== 'running') return;
    const { idleTimeout } = this.#options;
    if (this.#busy(entry)) {
      entry.askedAt = this.#now();
      return this.#lookWhenIdle(entry, idleTimeout);
    }
    const left = this.#lastUsed(entry) + idleTimeout - this.#now();
    if (left > 0) return this.#lookWhenIdle(entry, left);
    this.#stop(entry, 'idle', undefined).catch((error: unknown) => this.#onError(error, `the eviction of ${id}`));
  }

  async #end(entry: Entry<Config, Value>, reason: IsolationStopReason, gracePeriod: number | undefined): Promise<void> {
    switch (entry.state) {
      case 'starting':
        entry.cancel.abort(stopped(entry.id, 'it was ended while it started'));
        return void (await entry.started.catch(() => undefined));
      case 'running':
        return this.#stop(entry, reason, gracePeriod);
      case 'stopping':
        // A grace can only shrink.
        if (gracePeriod !== undefined) await this.#backend.stop(entry.value as Value, { gracePeriod, reason });
        return entry.stopped;
      case 'failed':
        this.#entries.delete(entry.id);
        return this.#backend.stop(entry.value as Value, { gracePeriod, reason });
    }
  }

  #stop(entry: Entry<Config, Value>, reason: IsolationStopReason, gracePeriod: number | undefined): Promise<void> {
    entry.state = 'stopping';
    this.#idle.delete(entry.id);
    const { id, key } = entry;
    const stopping = async () => this.#backend.stop(entry.value as Value, { gracePeriod, reason });
    entry.stopped = stopping().finally(() => {
      this.#forget(entry);
      this.#events.emit('stop', { id, key, reason });
    });
    // Those who wait for the place or the key look at what is there afterwards.
    entry.stopped.catch(() => undefined);
    return entry.stopped;
  }

  /** It is no longer there, and its place is free unless another key has it already. */
  #forget(entry: Entry<Config, Value>): void {
    if (this.#entries.get(entry.id) === entry) this.#entries.delete(entry.id);
    if (!entry.inherited) this.#places--;
  }

  #onGone(entry: Entry<Config, Value>, error: Error | undefined): void {
    if (entry.state === 'starting') entry.early = { error };
    if (entry.state !== 'running') return;
    const { id, key } = entry;
    this.#idle.delete(id);
    if (error === undefined) {
      this.#forget(entry);
      this.#events.emit('stop', { id, key, reason: 'ended' });
      return;
    }
    entry.state = 'failed';
    entry.error = error;
    entry.failedAt = this.#now();
    this.#places--;
    this.#events.emit('failed', { id, key, during: 'run', error });
  }

  /** Someone who still held it has started it again: it is the key's own, unless that has another by now. */
  #onBack(entry: Entry<Config, Value>): void {
    const current = this.#entries.get(entry.id);
    if (current === entry && entry.state !== 'failed') return;
    if (this.#closed || (current && current !== entry)) {
      this.#backend.stop(entry.value as Value, { gracePeriod: undefined, reason: 'ended' }).catch((error: unknown) => this.#onError(error, `the end of ${entry.id}`));
      return;
    }
    Object.assign(entry, { state: 'running', error: undefined, inherited: false, stopped: undefined, askedAt: this.#now() });
    this.#entries.set(entry.id, entry);
    this.#places++;
    this.#lookWhenIdle(entry, this.#options.idleTimeout);
  }
}

const startedInVain = (id: string, cause: Error): RestartsExhaustedError =>
  new RestartsExhaustedError(`${id}: it was given up, and could not be started again: ${cause.message}; it is tried again after the cooldown, or after terminate()`, { process: id, restarts: 0, cause });
const stopped = (id: string, why: string): ProcessStoppedError => new ProcessStoppedError(`${id}: ${why}`, { process: id });
const full = (id: string, maxProcesses: number): IsolationFullError =>
  new IsolationFullError(`${id}: all ${maxProcesses} processes (maxProcesses) are at work or starting; none can be ended for it`, { id, maxProcesses });
