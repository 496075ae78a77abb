// The composition root: what users call. It resolves options, makes units, hands them to the one supervisor, and gives proxies.
import { nanoid } from 'nanoid';
import { rmSync } from 'node:fs';
import { UnitNotFoundError, ProcessStartError, ShutdownIncompleteError, ProcessStoppedError } from '../errors.js';
import { createRemote, remoteTargetOf } from '../rpc/remote.js';
import { resolveProcessFile } from '../runtime/process-file.js';
import type { Launch } from '../runtime/runtime.js';
import { Emitter } from '../supervisor/emitter.js';
import { Supervisor } from '../supervisor/supervisor.js';
import type { HealthStatus, Isolation, ProcessEvents, ProcessHandle, ProcessInfo, ProcessMetrics, Remote } from '../types.js';
import { parseDuration, type Duration } from '../units.js';
import { makeSocketFolder } from './addresses.js';
import { connectProcess, type ConnectProcessOptions, type ManagedConnection } from './connection.js';
import { aggregateHealth } from './health.js';
import { ManagedProcess } from './managed-process.js';
import type { Pool } from '../pool/pool.js';
import type { PoolHandle } from '../pool/pool-handle.js';
import { startPool, type PoolSpawnOptions } from './pools.js';
import { checkManagerOptions, resolveSpawnOptions, type ManagerOptions, type SpawnOptions } from './options.js';
import { unitSyncer, type Unit } from './unit.js';

/** A process: its id, or its proxy. */
export type ProcessRef = string | object;

/** The typed proxy of a pool. */
export type RemotePool<T> = Remote<T, PoolHandle>;

/** Stopped processes whose facts are remembered. */
const REMEMBERED = 100;

/** Every event of every process, with its id. */
export type ManagerEvents = { [E in keyof ProcessEvents]: ProcessEvents[E] & { id: string; name: string } } & {
  spawn: { id: string; name: string; file: string };
};
const FORWARDED: readonly (keyof ProcessEvents)[] = ['ready', 'crash', 'restart', 'stop', 'failed', 'health', 'log', 'status'];

export class ProcessManager {
  readonly #options: ManagerOptions;
  readonly #supervisor: Supervisor<Unit>;
  readonly #processes = new Map<string, ManagedProcess>();
  readonly #pools = new Set<Pool>();
  readonly #connections = new Set<ManagedConnection>();
  readonly #events = new Emitter<ManagerEvents>();
  readonly #token = nanoid(32);
  #socketFolder: string | undefined;
  #shutdown: Promise<void> | undefined;

  /** @throws UnknownOptionError, InvalidOptionError */
  constructor(options: ManagerOptions = {}) {
    checkManagerOptions(options);
    this.#options = options;
    this.#supervisor = new Supervisor<Unit>({ syncer: unitSyncer, resyncInterval: Infinity });
    this.#supervisor.on('failure', ({ id, retryIn }) => {
      const process = this.#processes.get(id);
      if (process && retryIn !== undefined) process.events.emit('restart', { attempt: process.restarts + 1, delay: retryIn });
    });
  }

  /**
   * Brings the process of `file` up and gives its typed proxy.
   *
   * `file` is a path (relative to the working directory) or a file URL of a `.js`, `.mjs`, `.ts` or `.mts` file whose default
   * export is a class with `@Process()`.
   * @throws ProcessStartError, InitError, UnknownOptionError, UnsupportedOptionError, InvalidOptionError, MemoryLimitError
   */
  async spawn<T>(file: string | URL, options: SpawnOptions = {}): Promise<Remote<T>> {
    const process = await this.spawnUnit(file, options);
    return createRemote(process.client) as Remote<T>;
  }

  /** Spawns and gives the unit itself: what pools and isolation build on. */
  async spawnUnit(file: string | URL, options: SpawnOptions = {}, { generation = 0, signal }: { generation?: number; signal?: AbortSignal } = {}): Promise<ManagedProcess> {
    if (this.#shutdown) throw new ProcessStoppedError('this process manager has been shut down', { process: String(file) });
    const path = resolveProcessFile(file);
    const resolved = resolveSpawnOptions(options, this.#options, path);
    const unit = new ManagedProcess(path, resolved, {
      supervisor: this.#supervisor,
      owner: this.#options.name ?? 'main',
      token: this.#token,
      launch,
      socketFolder: () => (this.#socketFolder ??= makeSocketFolder()),
      generation,
    });
    this.#processes.set(unit.id, unit);
    for (const event of FORWARDED) unit.on(event, (detail) => this.#events.emit(event, { ...detail, id: unit.id, name: unit.name } as never));
    const giveUp = () => void unit.stop({ timeout: 0 }).catch(() => {});
    signal?.addEventListener('abort', giveUp, { once: true });
    await this.#supervisor.updateProcess({ id: unit.id, updateType: 'create', config: unit, restartPolicy: resolved.restartPolicy });
    signal?.removeEventListener('abort', giveUp);
    if (unit.startError !== undefined || !unit.running) {
      if (!this.#supervisor.isFinished(unit.id)) await this.#supervisor.whenFinished(unit.id);
      this.#processes.delete(unit.id);
      this.#supervisor.syncKnownProcesses(this.#processes.keys());
      throw unit.startError ?? new ProcessStartError(`${path}: was stopped while it started`, { file: path, phase: 'ready' });
    }
    this.#events.emit('spawn', { id: unit.id, name: unit.name, file: path });
    this.#forgetOld();
    return unit;
  }

  /**
   * Many processes of `file` behind one typed proxy: calls are placed by `strategy`, queued when no replica is free, and
   * replicas that die are replaced. Control stands under `$handle`.
   * @throws what `spawn` throws, when a first replica cannot be brought up
   */
  async pool<T>(file: string | URL, options: PoolSpawnOptions = {}): Promise<RemotePool<T>> {
    if (this.#shutdown) throw new ProcessStoppedError('this process manager has been shut down', { process: String(file) });
    const path = resolveProcessFile(file);
    const pool = await startPool(path, options, {
      defaults: this.#options,
      spawnUnit: (spawn, start) => this.spawnUnit(path, spawn, start),
      onCreated: (created) => this.#pools.add(created),
      onStopped: (stopped) => this.#pools.delete(stopped),
    });
    return createRemote(pool) as RemotePool<T>;
  }

  /**
   * The typed proxy of a process that another program serves (`mimas serve`): `tcp://`, `tls://`, `ws://`, `wss://` or `unix:`.
   * It reconnects by itself; calls made meanwhile wait.
   * @throws LinkClosedError when nothing answers, UnauthorizedError when the token is refused
   */
  async connect<T>(address: string, options: ConnectProcessOptions = {}): Promise<Remote<T>> {
    if (this.#shutdown) throw new ProcessStoppedError('this process manager has been shut down', { process: address });
    const connection = await connectProcess(address, options, this.#supervisor, this.#options.name ?? 'main');
    this.#connections.add(connection);
    return createRemote(connection.client) as Remote<T>;
  }

  /** The proxy of the running process of that name; undefined when there is none. */
  discover<T>(name: string): Remote<T> | undefined {
    for (const process of this.#processes.values()) if (process.name === name && process.status !== 'stopped') return createRemote(process.client) as Remote<T>;
    return undefined;
  }

  /** Facts of one process; undefined for an id that is not known. */
  getProcess(ref: ProcessRef): ProcessInfo | undefined {
    return this.#processes.get(idOf(ref))?.info();
  }

  /** Facts of all processes, the last stopped ones among them. */
  listProcesses(): ProcessInfo[] {
    return [...this.#processes.values()].map((process) => process.info());
  }

  /** Control of one process. @throws UnitNotFoundError */
  getHandle(ref: ProcessRef): ProcessHandle {
    return this.#find(ref);
  }

  /** The user's own checks of one process; without an argument, of all of them together. @throws UnitNotFoundError */
  async getHealth(ref?: ProcessRef): Promise<HealthStatus> {
    if (ref !== undefined) return this.#find(ref).health();
    return aggregateHealth([...this.#processes.values()].filter(({ status }) => status !== 'stopped'));
  }

  /** @throws UnitNotFoundError */
  getMetrics(ref: ProcessRef): Promise<ProcessMetrics> {
    return this.#find(ref).metrics();
  }

  /** Stops a process: drain, `@OnShutdown`, exit. @throws UnitNotFoundError */
  stop(ref: ProcessRef, options?: { timeout?: Duration; reason?: string }): Promise<void> {
    return this.#find(ref).stop(options);
  }

  /** Ends a process at once. @throws UnitNotFoundError */
  kill(ref: ProcessRef, signal?: NodeJS.Signals): Promise<void> {
    return this.#find(ref).kill(signal);
  }

  /** Ends this incarnation and starts the next. @throws UnitNotFoundError */
  restart(ref: ProcessRef): Promise<void> {
    return this.#find(ref).restart();
  }

  on<E extends keyof ManagerEvents>(event: E, listener: (detail: ManagerEvents[E]) => void): () => void {
    return this.#events.on(event, listener);
  }

  /**
   * Ends everything that this manager started, within `timeout` (default: the grace period), and lets go of every timer and
   * socket, so that the program can exit by itself. May be called again; the first call counts.
   * @throws ShutdownIncompleteError when something could not be ended: `left` names it
   */
  shutdown(options: { timeout?: Duration; reason?: string } = {}): Promise<void> {
    this.#shutdown ??= this.#shutDown(options);
    return this.#shutdown;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  async #shutDown({ timeout, reason = 'shutdown' }: { timeout?: Duration; reason?: string }): Promise<void> {
    const grace = timeout === undefined ? parseDuration(this.#options.gracePeriod ?? 10_000) : parseDuration(timeout, 'timeout');
    const live = [...this.#processes.values()];
    // Force needs some time, too.
    const deadline = AbortSignal.timeout(grace + 5_000);
    await Promise.all([...this.#pools].map((pool) => pool.stop({ timeout: grace, reason })));
    await Promise.all(live.map((process) => process.stop({ timeout: grace, reason })));
    try {
      await this.#supervisor.shutdown({ signal: deadline, gracePeriod: grace });
    } finally {
      if (this.#socketFolder) rmSync(this.#socketFolder, { recursive: true, force: true });
    }
    const left = live.filter(({ running }) => running).map(({ id }) => id);
    if (left.length > 0) throw new ShutdownIncompleteError(`still running: ${left.join(', ')}`, { left });
  }

  #find(ref: ProcessRef): ManagedProcess {
    const id = idOf(ref);
    const process = this.#processes.get(id);
    if (!process) throw new UnitNotFoundError(`there is no process ${JSON.stringify(id)}; listProcesses() names them all`, { id });
    return process;
  }

  #forgetOld(): void {
    const stopped = [...this.#processes.values()].filter(({ status }) => status === 'stopped');
    for (const { id } of stopped.slice(0, Math.max(0, stopped.length - REMEMBERED))) this.#processes.delete(id);
    if (stopped.length > REMEMBERED) this.#supervisor.syncKnownProcesses([...this.#processes.keys(), ...[...this.#connections].map(({ id }) => id)]);
  }
}

/** Each place is loaded when it is first used: a program that runs threads only never loads `child_process`. */
async function launch(isolation: Isolation): Promise<Launch> {
  switch (isolation) {
    case 'none':
      return (await import('../runtime/inline.js')).launchInline;
    case 'worker':
      return (await import('../runtime/thread.js')).launchThread;
    case 'child':
      return (await import('../runtime/child.js')).launchChild;
  }
}

const idOf = (ref: ProcessRef): string => (typeof ref === 'string' ? ref : (remoteTargetOf(ref)?.id ?? (ref as { id?: string }).id ?? ''));

/** A manager of processes. `await using pm = createProcessManager()` shuts it down at the end of the block. */
export function createProcessManager(options?: ManagerOptions): ProcessManager {
  return new ProcessManager(options);
}
