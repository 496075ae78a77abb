// Isolation of spawned processes, typed: one process of a file for all, for each namespace, or for each session.
// Ids of keys belong to one isolation; the ids of its processes are unique in the manager, so two files never collide.
import { InvalidOptionError, RestartsExhaustedError } from '../errors.js';
import type { IsolationBackend, StartContext, StopContext } from '../isolation/backend.js';
import { Bulkhead, type IsolationEvents } from '../isolation/bulkhead.js';
import type { IsolationState, IsolationStatus } from '../isolation/entry.js';
import { checkLevel, processIdOf, type IsolationKey, type IsolationLevel } from '../isolation/key.js';
import type { BulkheadOptions } from '../isolation/options.js';
import { createRemote } from '../rpc/remote.js';
import { labelOf } from '../runtime/process-file.js';
import { Emitter } from '../supervisor/emitter.js';
import { refuseUnknown } from '../supervisor/options.js';
import type { HealthStatus, ProcessMetrics, Remote } from '../types.js';
import { parseDuration, type Duration } from '../units.js';
import { aggregateHealth } from './health.js';
import type { ManagedProcess } from './managed-process.js';
import { SPAWN_OPTIONS, type SpawnOptions } from './options.js';

export interface IsolateOptions extends SpawnOptions, Pick<BulkheadOptions, 'idleTimeout' | 'maxProcesses' | 'cooldown'> {
  /** Default `'namespace'`. */
  level?: IsolationLevel;
  /** Spawn options of one key over those of all: limits, dependencies, environment of a tenant. Asked at each start. */
  perKey?: (key: IsolationKey) => SpawnOptions;
}

export interface IsolatedProcessInfo {
  /** `shared`, `ns:<namespace>` or `session:<session>`. */
  readonly id: string;
  readonly key: IsolationKey;
  readonly state: IsolationState;
  readonly busy: boolean;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly lastUsed: number;
  /** Why it was given up. */
  readonly error: Error | undefined;
  /** The id in the manager; undefined while it starts for the first time. */
  readonly processId: string | undefined;
  readonly pid: number | undefined;
  readonly threadId: number | undefined;
  readonly restarts: number;
}

export interface IsolationHandleEvents extends IsolationEvents {
  /** The process of a key died; its restart policy decides. */
  crash: { id: string; key: IsolationKey; error: Error };
}

export interface IsolationHandle<T> {
  readonly level: IsolationLevel;
  /**
   * The process of this key: the running one, or a new one.
   * @throws what `spawn` throws; IsolationFullError when all `maxProcesses` are at work; RestartsExhaustedError while a key that
   * was given up cools down
   */
  get(key?: IsolationKey): Promise<Remote<T>>;
  /** The process of this key if it runs; starts nothing and does not count as use. */
  peek(key?: IsolationKey): Remote<T> | undefined;
  /** Ends the process of this key; a key that was given up may be tried again at once. @throws UnitNotFoundError */
  terminate(key?: IsolationKey, options?: { grace?: Duration }): Promise<void>;
  list(): IsolatedProcessInfo[];
  /** The checks of all processes, each named after its id; of one key with an argument. */
  health(key?: IsolationKey): Promise<HealthStatus>;
  /** By id, of those that run. */
  metrics(): Promise<Record<string, ProcessMetrics>>;
  /** Ends all processes; `get` refuses from now on. */
  shutdown(options?: { timeout?: Duration; reason?: string }): Promise<void>;
  on<E extends keyof IsolationHandleEvents>(event: E, listener: (detail: IsolationHandleEvents[E]) => void): () => void;
  [Symbol.asyncDispose](): Promise<void>;
}

const OWN_OPTIONS = ['level', 'idleTimeout', 'maxProcesses', 'cooldown', 'perKey'];

type SpawnUnit = (options: SpawnOptions, signal: AbortSignal) => Promise<ManagedProcess>;
type Report = Pick<StartContext<SpawnOptions>, 'gone' | 'back' | 'key'>;

export class ProcessIsolation<T> implements IsolationHandle<T>, IsolationBackend<SpawnOptions, ManagedProcess> {
  readonly level: IsolationLevel;
  readonly #bulkhead: Bulkhead<SpawnOptions, ManagedProcess>;
  readonly #events = new Emitter<IsolationHandleEvents>();
  readonly #configOf: (id: string, key: IsolationKey) => SpawnOptions;
  readonly #reports = new WeakMap<ManagedProcess, Report>();
  readonly #proxies = new WeakMap<ManagedProcess, Remote<T>>();
  /** Given up, and started again rather than replaced: proxies of it come back to life. */
  readonly #failed = new Map<string, ManagedProcess>();

  constructor(
    file: string,
    options: IsolateOptions,
    check: (options: SpawnOptions) => void,
    private readonly spawnUnit: SpawnUnit,
    private readonly onShutdown: () => void,
  ) {
    refuseUnknown(options, [...OWN_OPTIONS, ...SPAWN_OPTIONS], 'isolate');
    const { level = 'namespace', idleTimeout, maxProcesses, cooldown, perKey, ...spawn } = options;
    this.level = checkLevel(level);
    if (perKey !== undefined && typeof perKey !== 'function') throw new InvalidOptionError('perKey: it is a function from a key to spawn options', { option: 'perKey' });
    check(spawn);
    const base = spawn.name ?? labelOf(file);
    this.#configOf = (id, key) => {
      const own = perKey?.(key) ?? {};
      const merged: SpawnOptions = { ...spawn, name: `${id}:${base}`, ...own };
      if (spawn.resources && own.resources) merged.resources = { ...spawn.resources, ...own.resources };
      if (spawn.monitoring && own.monitoring) merged.monitoring = { ...spawn.monitoring, ...own.monitoring };
      if (spawn.env && own.env) merged.env = { ...spawn.env, ...own.env };
      check(merged);
      return merged;
    };
    this.#bulkhead = new Bulkhead(this, { idleTimeout, maxProcesses, cooldown });
    for (const event of ['start', 'stop', 'failed'] as const) this.#bulkhead.on(event, (detail) => this.#events.emit(event, detail as never));
  }

  async get(key: IsolationKey = {}): Promise<Remote<T>> {
    const id = processIdOf(this.level, key);
    const { value } = await this.#bulkhead.get(id, key, () => this.#configOf(id, key));
    return this.#proxyOf(value!);
  }

  peek(key: IsolationKey = {}): Remote<T> | undefined {
    const entry = this.#bulkhead.peek(processIdOf(this.level, key));
    return entry?.state === 'running' ? this.#proxyOf(entry.value!) : undefined;
  }

  async terminate(key: IsolationKey = {}, options: { grace?: Duration } = {}): Promise<void> {
    refuseUnknown(options, ['grace'], 'terminate');
    await this.#bulkhead.terminate(processIdOf(this.level, key), options.grace === undefined ? undefined : parseDuration(options.grace, 'grace'));
  }

  list(): IsolatedProcessInfo[] {
    return Array.from(this.#bulkhead.values(), (entry) => {
      const { config: _config, ...status } = this.#bulkhead.status(entry) satisfies IsolationStatus<SpawnOptions>;
      const unit = entry.value;
      return { ...status, processId: unit?.id, pid: unit?.pid, threadId: unit?.threadId, restarts: unit?.restarts ?? 0 };
    });
  }

  async health(key?: IsolationKey): Promise<HealthStatus> {
    const id = key && processIdOf(this.level, key);
    const entries = Array.from(this.#bulkhead.values()).filter((entry) => (id === undefined || entry.id === id) && entry.value !== undefined && entry.state !== 'stopping');
    return aggregateHealth(entries.map(({ id: name, value }) => ({ name, health: () => value!.health() })));
  }

  async metrics(): Promise<Record<string, ProcessMetrics>> {
    const entries = Array.from(this.#bulkhead.values()).filter(({ state }) => state === 'running');
    return Object.fromEntries(await Promise.all(entries.map(async ({ id, value }) => [id, await value!.metrics()] as const)));
  }

  on<E extends keyof IsolationHandleEvents>(event: E, listener: (detail: IsolationHandleEvents[E]) => void): () => void {
    return this.#events.on(event, listener);
  }

  async shutdown(options: { timeout?: Duration; reason?: string } = {}): Promise<void> {
    refuseUnknown(options, ['timeout', 'reason'], 'shutdown');
    await this.#bulkhead.shutdown(options.timeout === undefined ? undefined : parseDuration(options.timeout, 'timeout'));
    this.onShutdown();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  // ── what the bulkhead asks for ──

  async start({ id, key, config, signal, gone, back }: StartContext<SpawnOptions>): Promise<ManagedProcess> {
    const failed = this.#failed.get(id);
    this.#failed.delete(id);
    if (failed) {
      const cut = () => void failed.stop({ timeout: 0 });
      signal.addEventListener('abort', cut, { once: true });
      this.#reports.set(failed, { gone, back, key });
      await failed.restart().finally(() => signal.removeEventListener('abort', cut));
      return failed;
    }
    const unit = await this.spawnUnit(config, signal);
    this.#reports.set(unit, { gone, back, key });
    unit.on('status', ({ to }) => this.#onStatus(id, unit, to));
    unit.on('crash', ({ error }) => this.#events.emit('crash', { id, key: this.#reports.get(unit)!.key, error }));
    return unit;
  }

  async stop(unit: ManagedProcess, { gracePeriod, reason }: StopContext): Promise<void> {
    for (const [id, failed] of this.#failed) if (failed === unit) this.#failed.delete(id);
    await unit.stop({ reason, ...(gracePeriod !== undefined && { timeout: gracePeriod }) });
  }

  busy(unit: ManagedProcess): boolean {
    return unit.client.busy;
  }

  lastActive(unit: ManagedProcess): number {
    return performance.timeOrigin + unit.client.lastSettled;
  }

  #proxyOf(unit: ManagedProcess): Remote<T> {
    let proxy = this.#proxies.get(unit);
    if (!proxy) this.#proxies.set(unit, (proxy = createRemote(unit.client) as Remote<T>));
    return proxy;
  }

  #onStatus(id: string, unit: ManagedProcess, status: string): void {
    const { gone, back } = this.#reports.get(unit)!;
    if (status === 'running') back();
    else if (status === 'stopped') gone(undefined);
    else if (status === 'failed') {
      const cause = unit.failure;
      this.#failed.set(id, unit);
      gone(new RestartsExhaustedError(`${id}: its process was given up${cause ? `: ${cause.message}` : ''}; it is tried again after the cooldown, or after terminate()`, { process: unit.name, restarts: unit.restarts, cause }));
    }
  }
}
