// The composition root: what users call. It resolves options, makes units, hands them to the one supervisor, and gives proxies.
// What a first spawn, pool or connection needs is loaded by it: every thread imports this file, and few of them spawn.
import { UnitNotFoundError, ProcessStoppedError } from '../errors.js';
import type { PrometheusRegistry } from '../optional.js';
import { abortsDuring } from '../rpc/abort-listeners.js';
import { createRemote, remoteTargetOf } from '../rpc/remote.js';
import { callerFile, resolveProcessFile } from '../runtime/process-file.js';
import { Emitter } from '../supervisor/emitter.js';
import type { Supervisor } from '../supervisor/supervisor.js';
import type { HealthStatus, ProcessHandle, ProcessInfo, ProcessMetrics, Remote, Untyped } from '../types.js';
import { refuseUnknown } from '../supervisor/options.js';
import { parseDuration, type Duration } from '../units.js';
import { advised } from './advice.js';
import { SocketFolder } from './addresses.js';
import { startEarly, type EarlyStart } from './early-start.js';
import type { ConnectProcessOptions } from './connection.js';
import { callerTold, type Told } from './caller-told.js';
import { launch } from './launch.js';
import { MetricsJournal } from './metrics-journal.js';
import type { ManagedProcess } from './managed-process.js';
import type { Member } from '../pool/member.js';
import type { Pool } from '../pool/pool.js';
import type { PoolSpawnOptions } from './pools.js';
import { ProcessIsolation, type IsolateOptions, type IsolationHandle } from './isolations.js';
import type { Supervision, SupervisionOf } from './supervision.js';
import type { ChildDefinition, SupervisionOptions, SupervisorClass } from './supervision-options.js';
import { checkManagerOptions, resolveSpawnOptions, type ManagerOptions, type ResolvedOptions, type SpawnOptions } from './options.js';
import type { Listening } from './process-context.js';
import type { ServedProcess, ServeOptions } from './serve.js';
import { FORWARDED, type ManagerEvents, type ManagerMetrics, type ProcessRef, type RemotePool } from './facts.js';
import { Remnants } from './remnants.js';
import type { Unit } from './unit.js';

type ListedThread = Member & Required<Pick<Member, 'info'>>;

/** Stopped processes whose facts are remembered. */
const REMEMBERED = 100;


export class ProcessManager {
  readonly #options: ManagerOptions;
  #supervisor: Supervisor<Unit> | undefined;
  #loading: Promise<Supervisor<Unit>> | undefined;
  readonly #processes = new Map<string, ManagedProcess>();
  /** Those that no pool, isolation or group ends. */
  readonly #free = new WeakSet<ManagedProcess>();
  readonly #remnants = new Remnants();
  readonly #early = new Set<EarlyStart>();
  readonly #pools = new Set<Pool>();
  /** What starts and ends processes by itself: isolations and groups. */
  readonly #owners = new Set<{ shutdown(options: { timeout: number; reason: string }): Promise<void> }>();
  readonly #events = new Emitter<ManagerEvents>();
  readonly #journal = new MetricsJournal();
  #registry: Promise<PrometheusRegistry> | undefined;
  #sockets: SocketFolder | undefined;
  #shutdown: Promise<void> | undefined;

  /** @throws UnknownOptionError, InvalidOptionError */
  constructor(options: ManagerOptions = {}) {
    checkManagerOptions(options);
    this.#options = options;
  }

  /**
   * Brings the process of `file` up and gives its typed proxy.
   *
   * `file` is a path (relative to the working directory), a file URL, or what a package offers (`@acme/jobs/resize.process`); its
   * default export is a class with `@Process()`. Where there is `calc.process.js` only, `calc.process.ts` means that, and the reverse.
   * @throws ProcessStartError, InitError, UnknownOptionError, UnsupportedOptionError, InvalidOptionError, MemoryLimitError
   */
  spawn(file: string | URL, options?: SpawnOptions): Promise<Untyped>;
  spawn<T>(file: string | URL, options?: SpawnOptions): Promise<Remote<T>>;
  async spawn<T>(file: string | URL, options: SpawnOptions = {}): Promise<Remote<T>> {
    return createRemote(advised(await this.spawnUnit(file, options)).client) as Remote<T>;
  }

  /**
   * Spawns a process and serves it at `listen`, so that other programs reach it with `connect` and the token. It is supervised
   * like any other; after a restart it listens at the same address.
   * @throws what `spawn` throws, and UnsupportedOptionError for an address off this machine without a token of your own
   */
  serve(file: string | URL, options?: ServeOptions): Promise<ServedProcess<Untyped, Untyped>>;
  serve<T>(file: string | URL, options?: ServeOptions): Promise<ServedProcess<T>>;
  async serve<T>(file: string | URL, options: ServeOptions = {}): Promise<ServedProcess<T>> {
    const told = this.#assertOpen(String(file));
    const [{ resolveServeOptions }, { formatAddress }] = await Promise.all([import('./serve.js'), import('../transport/address.js')]);
    const { spawn, listen } = resolveServeOptions(options);
    const process = await told(this.spawnUnit(file, spawn, undefined, listen));
    return { process: createRemote(process.client) as Remote<T>, address: formatAddress(listen.address), token: listen.token };
  }

  /** Spawns and gives the unit itself: what pools, isolation and groups build on. `signal` gives the start up. */
  async spawnUnit(file: string | URL, options: SpawnOptions = {}, signal?: AbortSignal, listen?: Listening, pooled?: { generation: number }): Promise<ManagedProcess> {
    const told = this.#assertOpen(String(file));
    const path = resolveProcessFile(file);
    const resolved = resolveSpawnOptions(options, this.#options, path);
    // Only the first spawn has something to wait for.
    const early = this.#supervisor ? undefined : startEarly(resolved, this.#remnants);
    if (early) this.#early.add(early);
    try {
      return await told(this.#bringUp(path, resolved, { signal, listen, pooled, early }));
    } finally {
      await early?.discard();
      if (early) this.#early.delete(early);
    }
  }

  async #bringUp(path: string, resolved: ResolvedOptions, { signal, listen, pooled, early }: { signal: AbortSignal | undefined; listen: Listening | undefined; pooled: { generation: number } | undefined; early: EarlyStart | undefined }): Promise<ManagedProcess> {
    await early?.begun;
    const [{ ManagedProcess }, supervisor] = await Promise.all([import('./managed-process.js'), this.#engine()]);
    this.#assertOpen(path);
    const stopped = (name: string) => new ProcessStoppedError(`${path}: was stopped before it was ready`, { process: name });
    if (signal?.aborted) throw stopped(resolved.label);
    const unit = new ManagedProcess(path, resolved, {
      supervisor,
      owner: this.#options.name ?? 'main',
      launch: early ? () => Promise.resolve(early.launch) : async (isolation) => this.#remnants.watching(await launch(isolation)),
      socketFor: (id) => (this.#sockets ??= new SocketFolder()).socketFor(id),
      listen,
      generation: pooled?.generation ?? 0,
      heals: pooled !== undefined,
    });
    this.#processes.set(unit.id, unit);
    if (!signal) this.#free.add(unit);
    // One that was forgotten and is started again is known again.
    unit.on('status', ({ to }) => void (to !== 'stopped' && to !== 'failed' && this.#processes.set(unit.id, unit)));
    for (const event of FORWARDED) unit.on(event, (detail) => this.#events.emit(event, { ...detail, id: unit.id, name: unit.name } as never));
    const giveUp = () => void unit.stop({ timeout: 0, reason: 'cancelled' }).catch(() => {});
    const applied = supervisor.updateProcess({ id: unit.id, updateType: 'create', config: unit, restartPolicy: resolved.restartPolicy, heals: pooled !== undefined });
    await abortsDuring(signal, giveUp, applied);
    if (unit.down.startError !== undefined || !unit.running) {
      if (!supervisor.isFinished(unit.id)) await supervisor.whenFinished(unit.id);
      this.#forget(unit.id);
      throw unit.down.startError ?? stopped(unit.name);
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
  pool(file: string | URL, options?: PoolSpawnOptions): Promise<Untyped>;
  pool<T>(file: string | URL, options?: PoolSpawnOptions): Promise<RemotePool<T>>;
  async pool<T>(file: string | URL, options: PoolSpawnOptions = {}): Promise<RemotePool<T>> {
    const told = this.#assertOpen(String(file));
    const path = resolveProcessFile(file);
    const { startPool } = await import('./pools.js');
    this.#assertOpen(path);
    const pool = await told(startPool(path, options, {
      defaults: this.#options,
      spawnUnit: (spawn, { signal, generation }) => this.spawnUnit(path, spawn, signal, undefined, { generation }),
      onCreated: (created) => this.#pools.add(created),
      onStopped: (stopped) => this.#pools.delete(stopped),
      onThread: (name, thread) => this.#remnants.watch(name, thread),
      onLog: (line) => this.#events.emit('log', line),
    }));
    return createRemote(pool) as RemotePool<T>;
  }

  /**
   * One process of `file` for all, for each namespace, or for each session, started when it is first asked for.
   * Nothing is started yet.
   * @throws ProcessStartError when there is no such file; UnknownOptionError, InvalidOptionError, UnsupportedOptionError
   */
  isolate(file: string | URL, options?: IsolateOptions): IsolationHandle<Untyped, Untyped>;
  isolate<T>(file: string | URL, options?: IsolateOptions): IsolationHandle<T>;
  isolate<T>(file: string | URL, options: IsolateOptions = {}): IsolationHandle<T> {
    const path = resolveProcessFile(file);
    const check = (own: SpawnOptions) => void resolveSpawnOptions(own, this.#options, path);
    const isolation = new ProcessIsolation<T>(path, options, check, (own, signal) => this.spawnUnit(path, own, signal), () => this.#owners.delete(isolation));
    this.#owners.add(isolation);
    return isolation;
  }

  /**
   * Starts processes that belong together, in order, and keeps them up by `strategy`: a list of children, or a class with
   * `@Supervisor()` and `@Child()` fields. When more than `intensity` restarts within `period` are needed, the tree gives up.
   * @throws what `spawn` throws, when a child cannot be started: those before it are stopped then
   */
  supervise(children: readonly ChildDefinition[], options?: SupervisionOptions): Promise<Supervision>;
  supervise<T>(tree: SupervisorClass<T>, options?: SupervisionOptions): Promise<SupervisionOf<T>>;
  async supervise(source: readonly ChildDefinition[] | SupervisorClass, options: SupervisionOptions = {}): Promise<Supervision> {
    const told = this.#assertOpen('supervise');
    const caller = callerFile();
    const [{ readTree }, { SupervisionTree }] = await Promise.all([import('./supervision-definition.js'), import('./supervision.js')]);
    const tree = new SupervisionTree(readTree(source, options, options.name ?? 'supervise'), {
      spawnUnit: (file, own, signal) => this.spawnUnit(file, own, signal),
      check: (file, own) => resolveSpawnOptions(own, this.#options, resolveProcessFile(file, undefined, caller)).file,
      onState: (owner, live) => void (live ? this.#owners.add(owner) : this.#owners.delete(owner)),
    });
    await told(tree.start());
    return tree;
  }

  /**
   * The typed proxy of a process that another program serves (`mimas serve`): `tcp://`, `tls://`, `ws://`, `wss://` or `unix:`.
   * It reconnects by itself; calls made meanwhile wait.
   * @throws LinkClosedError when nothing answers, UnauthorizedError when the token is refused
   */
  connect(address: string, options?: ConnectProcessOptions): Promise<Untyped>;
  connect<T>(address: string, options?: ConnectProcessOptions): Promise<Remote<T>>;
  async connect<T>(address: string, options: ConnectProcessOptions = {}): Promise<Remote<T>> {
    const told = this.#assertOpen(address);
    const [{ connectProcess }, supervisor] = await Promise.all([import('./connection.js'), this.#engine()]);
    this.#assertOpen(address);
    const connection = await told(connectProcess(address, options, supervisor, this.#options.name ?? 'main'));
    return createRemote(connection.client) as Remote<T>;
  }

  /** The proxy of the running process of that name; undefined when there is none. */
  discover(name: string): Untyped;
  discover<T>(name: string): Remote<T> | undefined;
  discover<T>(name: string): Remote<T> | undefined {
    for (const process of this.#processes.values()) if (process.name === name && process.status !== 'stopped') return createRemote(process.client) as Remote<T>;
    return undefined;
  }

  /** Facts of one process; undefined for an id that is not known. */
  getProcess(ref: ProcessRef): ProcessInfo | undefined {
    return this.#seen(ref)?.info();
  }

  /** Facts of all processes, the last stopped ones and the threads of CPU pools among them. */
  listProcesses(): ProcessInfo[] {
    return this.#listed().map((process) => process.info());
  }

  /** Control of one process. @throws UnitNotFoundError */
  getHandle(ref: ProcessRef): ProcessHandle {
    return this.#find(ref);
  }

  /** The user's own checks of one process; without an argument, of all of them together. @throws UnitNotFoundError */
  async getHealth(ref?: ProcessRef): Promise<HealthStatus> {
    if (ref !== undefined) return (this.#seen(ref) ?? this.#find(ref)).health();
    const { aggregateHealth } = await import('./health.js');
    return aggregateHealth(this.#listed().filter(({ status }) => status !== 'stopped'));
  }

  /** @throws UnitNotFoundError */
  getMetrics(ref: ProcessRef): Promise<ProcessMetrics> {
    return (this.#seen(ref) ?? this.#find(ref)).metrics();
  }

  /** All metrics as Prometheus text (content type `text/plain; version=0.0.4`): `mimas_*` of processes and methods, `procmgr_*` of the supervisor. */
  async prometheus(): Promise<string> {
    return (await this.prometheusRegistry()).metrics();
  }

  /** The prom-client registry behind `prometheus()`, to be merged with a program's own. */
  prometheusRegistry(): Promise<PrometheusRegistry> {
    return (this.#registry ??= this.#makeRegistry());
  }

  /** All metrics as plain data, ready for `JSON.stringify`. */
  async metricsJson(): Promise<ManagerMetrics> {
    const processes = await Promise.all(this.#listed().map(async (process) => ({ metrics: await process.metrics(), ...process.info() })));
    return { timestamp: Date.now(), supervisor: (await this.#engine()).health(), processes };
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
   * @throws ShutdownIncompleteError, at the deadline, when something could not be ended: `left` names it; so does `await using`
   */
  shutdown(options: { timeout?: Duration; reason?: string } = {}): Promise<void> {
    let timeout: number;
    // Before anything is remembered: options that make no sense are no shutdown, and the next one has to work.
    try {
      refuseUnknown(options, ['timeout', 'reason'], 'shutdown');
      timeout = parseDuration(options.timeout ?? this.#options.gracePeriod ?? 10_000, 'timeout');
    } catch (error) {
      return Promise.reject(error as Error);
    }
    return (this.#shutdown ??= this.#shutDown(timeout, options.reason));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  async #shutDown(timeout: number, reason = 'shutdown'): Promise<void> {
    const began = performance.now();
    const processes = [...this.#processes.values()];
    const { shutDown } = await import('./shutdown.js');
    try {
      await shutDown({
        owners: this.#owners,
        pools: this.#pools,
        processes,
        free: processes.filter((process) => this.#free.has(process)),
        early: () => this.#early,
        supervisor: async (options) => (await this.#loading)?.shutdown(options),
        remnants: this.#remnants,
      }, { began, timeout, reason });
    } finally {
      this.#sockets?.remove();
    }
  }

  async #makeRegistry(): Promise<PrometheusRegistry> {
    const [{ registry }, { registerProcesses }] = await Promise.all([this.#journal.collector(), import('./prometheus.js')]);
    registerProcesses(registry, () => this.#listed());
    return registry;
  }

  /** The one supervisor, loaded by the first thing that it is to keep alive. */
  #engine(): Promise<Supervisor<Unit>> {
    return (this.#loading ??= this.#makeSupervisor());
  }

  async #makeSupervisor(): Promise<Supervisor<Unit>> {
    // The end is loaded along: it has a deadline.
    const [{ Supervisor }, { unitSyncer }] = await Promise.all([import('../supervisor/supervisor.js'), import('./unit.js'), import('./shutdown.js')]);
    const supervisor = new Supervisor<Unit>({ syncer: unitSyncer, resyncInterval: Infinity, metrics: this.#journal });
    supervisor.on('failure', (failure) => this.#processes.get(failure.id)?.judged(failure));
    return (this.#supervisor = supervisor);
  }

  /** What it gives shows its caller in the stack of a failure. */
  #assertOpen(what: string): Told {
    if (this.#shutdown) throw new ProcessStoppedError('this process manager has been shut down', { process: what });
    return callerTold();
  }

  #find(ref: ProcessRef): ManagedProcess {
    const id = idOf(ref);
    const process = this.#processes.get(id);
    if (!process && this.#seen(ref)) throw new UnitNotFoundError(`${JSON.stringify(id)} is a thread of a CPU pool: it is controlled by its pool's $handle`, { id });
    if (!process) throw new UnitNotFoundError(`there is no process ${JSON.stringify(id)}; listProcesses() names them all`, { id });
    return process;
  }

  /** The threads of CPU pools: their pools keep them up, not the supervisor. */
  #threads(): ListedThread[] {
    return [...this.#pools].flatMap(({ population }) => population.members()).filter((member): member is ListedThread => member.info !== undefined);
  }

  /** A process, or a thread of a CPU pool. */
  #seen(ref: ProcessRef): ManagedProcess | ListedThread | undefined {
    const id = idOf(ref);
    return this.#processes.get(id) ?? this.#threads().find((thread) => thread.id === id);
  }

  #listed(): (ManagedProcess | ListedThread)[] {
    return [...this.#processes.values(), ...this.#threads()];
  }

  #forgetOld(): void {
    const ended = [...this.#processes.values()].filter(({ status }) => status === 'stopped' || status === 'failed');
    for (const { id } of ended.slice(0, Math.max(0, ended.length - REMEMBERED))) this.#forget(id);
  }

  #forget(id: string): void {
    this.#processes.delete(id);
    if (this.#supervisor?.getProcessStatus(id)) void this.#supervisor.updateProcess({ id, updateType: 'terminate', terminateOptions: { evict: true } });
  }
}

const idOf = (ref: ProcessRef): string => (typeof ref === 'string' ? ref : (remoteTargetOf(ref)?.id ?? (ref as { id?: string }).id ?? ''));

/** A manager of processes. `await using pm = createProcessManager()` shuts it down at the end of the block. */
export function createProcessManager(options?: ManagerOptions): ProcessManager {
  return new ProcessManager(options);
}
