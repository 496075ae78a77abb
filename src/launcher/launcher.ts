// The launcher: patterns by name, one supervised process for each isolation key, on demand.
// Invariant: for one id there is at most one process, however many ask for it at once.
import { nanoid } from 'nanoid';
import { ProcessStoppedError } from '../errors.js';
import { MetricsJournal } from '../manager/metrics-journal.js';
import { createProcessManager, type ProcessManager } from '../manager/process-manager.js';
import { asResult } from '../rpc/iterate-result.js';
import { told } from '../rpc/maybe-executed.js';
import { createRemote } from '../rpc/remote.js';
import { Supervisor } from '../supervisor/supervisor.js';
import { canBeVariable } from '../runtime/environment.js';
import { sweepLeftFolders } from '../runtime/left-folders.js';
import { refuseOnWindows } from '../runtime/platform.js';
import { Slots } from '../runtime/slots.js';
import { within } from '../runtime/within.js';
import type { Remote } from '../types.js';
import { MAX_TIMEOUT, type Duration } from '../units.js';
import { detectCgroups, type CgroupSupport } from '../runtime/cgroups.js';
import { LauncherError } from './errors.js';
import { checkLevel, processIdOf, type IsolationLevel } from './ids.js';
import type { LaunchedContext } from './launched-context.js';
import { LaunchedProcess, MAX_ERRORS } from './launched-process.js';
import { sweep, takeOver } from './leftovers.js';
import { problemText, type ManifestProblem } from './manifest-reader.js';
import { LauncherMetrics, type Counter, type JsonMetrics } from './metrics.js';
import { duration, refuseUnknown, resolveLauncherOptions, type LauncherOptions, type ResolvedLauncherOptions } from './options.js';
import { Ports } from './ports.js';
import { MANIFEST_FILE } from './pattern-folders.js';
import { PatternRegistry, type Discovery } from './registry.js';
import { ProcessTable } from './process-table.js';
import { checkVariables } from './request-variables.js';
import type { HealthReport, ProcessFilter, ProcessInfo } from './report.js';
import { adopt, startExecutable, startMimasProcess } from './running.js';
import { StateFolder, type ProcessRecord } from './state-folder.js';
import type { LauncherServer, ServeOptions } from './server.js';

/** SIGKILL takes no time, unless the kernel holds the process, ms. */
const AFTER_KILL_MS = 5_000;

export interface LaunchRequest {
  pattern: string;
  /** Default: the manifest's, else the launcher's. */
  isolation?: IsolationLevel | undefined;
  namespace?: string | undefined;
  session?: string | undefined;
  /** Environment variables of this launch, over those of the manifest, which says which ones may be set. A process that runs already keeps its own. */
  config?: Readonly<Record<string, string>> | undefined;
  /** Its grace when it is terminated without one. */
  gracePeriod?: Duration | undefined;
}

export interface TerminateRequest {
  gracePeriod?: Duration | undefined;
  /** SIGKILL at once. */
  force?: boolean | undefined;
}

export class Launcher {
  readonly registry: PatternRegistry;
  readonly metrics: LauncherMetrics;
  readonly #options: ResolvedLauncherOptions;
  readonly #instance = nanoid(12).replace(/[^\w]/g, 'x');
  readonly #supervisor: Supervisor<LaunchedProcess>;
  readonly #processes: ProcessTable;
  readonly #ports: Ports;
  readonly #state: StateFolder | undefined;
  readonly #context: LaunchedContext;
  readonly #startedAt = performance.now();
  readonly #servers = new Set<LauncherServer>();
  readonly #journal = new MetricsJournal();
  #launches = 0;
  #cgroups: CgroupSupport | undefined;
  #manager: ProcessManager | undefined;
  readonly #orphanTimer: NodeJS.Timeout;
  #shutdown: Promise<void> | undefined;

  /** Use `createLauncher`. */
  constructor(options: ResolvedLauncherOptions) {
    this.#options = options;
    this.registry = new PatternRegistry(options.patternsDir);
    this.#tellProblems(this.registry.problems);
    for (const folder of this.registry.skipped) options.log(`Skipped ${folder}: it has no ${MANIFEST_FILE}`);
    this.#processes = new ProcessTable((id) => this.#supervisor.getProcessStatus(id), options.clock);
    this.#ports = new Ports(options.portRange);
    this.#state = options.stateDir === undefined ? undefined : new StateFolder(options.stateDir, this.#instance);
    this.metrics = new LauncherMetrics(() => this.#processes.counts(), () => performance.now() - this.#startedAt, () => this.#processes.usage());
    this.#context = this.#makeContext();
    this.#supervisor = new Supervisor<LaunchedProcess>({
      syncer: {
        syncProcess: (context, _type, process) => process.sync(context, options.resyncInterval),
        syncTerminatingProcess: (context, process) => process.terminate(context),
        syncTerminatedProcess() {},
      },
      clock: options.clock,
      resyncInterval: options.resyncInterval,
      backOffPeriod: options.backOffPeriod,
      gracePeriod: options.gracePeriod,
      metrics: this.#journal,
      restartPolicy: {
        maxRestarts: Infinity,
        maxFailures: MAX_ERRORS,
        stableAfter: options.stableAfter,
        backoff: { initial: Math.min(1000, options.backOffPeriod), max: options.backOffPeriod },
      },
    });
    this.#supervisor.on('finished', ({ id, reason }) => this.#onFinished(id, reason));
    this.#orphanTimer = setInterval(() => void this.sweepOrphans(), Math.min(options.orphanInterval, MAX_TIMEOUT));
    this.#orphanTimer.unref();
  }

  /** What marks the processes of this launcher. */
  get instance(): string {
    return this.#instance;
  }

  get uptimeSeconds(): number {
    return Math.floor((performance.now() - this.#startedAt) / 1000);
  }

  // ── what users ask for ──

  /**
   * The process of this pattern under this key: the one that runs, or a new one once it is healthy. Whoever asks for the same
   * key meanwhile shares that one start.
   * @throws LauncherError; with HEALTH_CHECK_FAILED the launcher goes on trying, with any other code nothing is left of it
   */
  async launch(request: LaunchRequest): Promise<ProcessInfo> {
    if (this.#shutdown) throw new LauncherError('SHUTTING_DOWN', 'the launcher is shutting down');
    checkRequest(request);
    const manifest = this.registry.get(request.pattern);
    checkVariables(request.config ?? {}, manifest);
    const level = checkLevel(request.isolation ?? manifest.isolationLevel ?? this.#options.defaultIsolation);
    const key = { pattern: manifest.name, level, namespace: request.namespace || undefined, session: request.session || undefined };
    const id = processIdOf(key);
    const grace = request.gracePeriod === undefined ? undefined : duration(request.gracePeriod, 'gracePeriod');
    let process = this.#processes.peek(id);
    if (!process || !this.#processes.isAlive(process)) {
      if (!process && this.#processes.size >= this.#options.maxProcesses) {
        throw new LauncherError('RESOURCE_LIMIT_EXCEEDED', `all ${this.#options.maxProcesses} processes (maxProcesses) are in use`, { context: { process: id } });
      }
      process = new LaunchedProcess(id, key, manifest, request.config ?? {}, grace, this.#context);
      this.#create(process);
    }
    await process.whenUp();
    return this.#processes.info(process);
  }

  list(filter: ProcessFilter = {}): ProcessInfo[] {
    return this.#processes.list(filter);
  }

  /** Undefined when there is no such process. */
  status(id: string): ProcessInfo | undefined {
    const process = this.#processes.peek(id);
    return process && this.#processes.info(process);
  }

  /** SIGTERM, the grace, SIGKILL; resolves when nothing of the process group is left. @throws LauncherError PROCESS_NOT_FOUND, TERMINATION_FAILED */
  async terminate(id: string, request: TerminateRequest = {}): Promise<void> {
    refuseUnknown(request, ['gracePeriod', 'force'], 'terminate: ');
    const { gracePeriod, force = false } = request;
    const process = this.#processes.get(id);
    const grace = force ? 0 : gracePeriod === undefined ? process.gracePeriod : duration(gracePeriod, 'gracePeriod');
    const ended = this.#supervisor.updateProcess({ id, updateType: 'terminate', terminateOptions: { evict: true, ...(grace !== undefined && { gracePeriod: grace }) } });
    if (!(await within(ended, (grace ?? this.#options.gracePeriod) + AFTER_KILL_MS))) {
      throw new LauncherError('TERMINATION_FAILED', `process ${id} did not die after SIGKILL`, { context: { process: id, pid: process.pid }, suggestion: 'The launcher goes on trying; look at what holds the process in the kernel' });
    }
    if (this.#supervisor.getProcessStatus(id)?.state === 'Terminated') await this.#supervisor.whenFinished(id);
    process.callOff();
    this.#processes.remove(process);
  }

  /** The typed proxy of a launched Mimas process (`process:` in its manifest). It outlives restarts; while it is down, calls fail. @throws LauncherError PROCESS_NOT_FOUND */
  proxy<T>(id: string): Remote<T> {
    const unit = () => {
      const found = this.#processes.peek(id)?.running?.unit;
      if (!found) throw new LauncherError('PROCESS_NOT_FOUND', `${id}: there is no running Mimas process of this id`, { context: { process: id } });
      return found;
    };
    let { client } = unit();
    return createRemote({
      name: client.name,
      id,
      methods: () => client.methods(),
      withheld: () => client.withheld(),
      invoke: (method, args, options) => {
        try {
          ({ client } = unit());
        } catch (cause) {
          return asResult(Promise.reject(told(new ProcessStoppedError(`${id}.${method}(): the process does not run now and takes no calls`, { process: id, method, cause }), false)));
        }
        return client.invoke(method, args, options);
      },
      get handle() {
        return unit();
      },
    }) as Remote<T>;
  }

  /** The last lines that a process printed. @throws LauncherError PROCESS_NOT_FOUND */
  logs(id: string): readonly string[] {
    return this.#processes.get(id).running?.lines() ?? [];
  }

  health(): HealthReport {
    const { total, running, terminating, failed, isolation } = this.#processes.counts();
    return { healthy: failed === 0 && !this.#shutdown, totalProcesses: total, runningProcesses: running, terminatingProcesses: terminating, failedProcesses: failed, isolationDistribution: isolation, uptimeSeconds: this.uptimeSeconds };
  }

  /** It takes launches. */
  get ready(): boolean {
    return !this.#shutdown;
  }

  /** The `pattern_launcher_*` series, then the supervisor's `procmgr_*`. */
  async exportPrometheusMetrics(): Promise<string> {
    return this.metrics.prometheus() + (await (await this.#journal.collector()).exposition());
  }

  exportJsonMetrics(): JsonMetrics {
    return this.metrics.json();
  }

  /** Reads the manifests again; running processes take theirs at their next start. @throws LauncherError, and the old set stays */
  reload(): Discovery {
    const found = this.registry.reload();
    this.#told(found);
    return found;
  }

  /** Serves gRPC and HTTP, gRPC to those who show a token. @throws LauncherError when a port cannot be had */
  async serve(options: ServeOptions = {}): Promise<LauncherServer> {
    const { startServer } = await import('./server.js');
    const server = await startServer(this, options, { tokenFile: this.#state?.tokenFile, log: this.#options.log });
    this.#servers.add(server);
    return server;
  }

  /** Ends processes that carry the mark of this launcher, or of those whose folder it has taken over, but belong to nothing that runs. Answers how many. */
  async sweepOrphans(): Promise<number> {
    return sweep([this.#instance, ...(this.#state?.lineage ?? [])], this.#context);
  }

  /** Ends all processes and servers. @throws ShutdownIncompleteError when something outlives the deadline */
  shutdown({ timeout }: { timeout?: Duration | undefined } = {}): Promise<void> {
    return (this.#shutdown ??= this.#shutDown(timeout === undefined ? this.#options.gracePeriod : duration(timeout, 'timeout')));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  // ── at the beginning ──

  /** Deals with what a predecessor over the same state folder has left, and begins to watch the manifests. Use `createLauncher`. */
  async begin(): Promise<void> {
    const { watch, log } = this.#options;
    if (watch) this.registry.watch((found) => this.#told(found), (error) => log(`Reload failed, the old patterns stay: ${error.message}`));
    this.#ports.tidy();
    void sweepLeftFolders();
    if (!this.#state) return;
    await takeOver(this.#state, (record) => this.#options.leftovers === 'adopt' && this.#adopt(record), this.#context);
    // One that cannot be adopted after all is told in the log.
    await Promise.allSettled(this.#processes.all().map((process) => process.whenUp()));
  }

  #adopt(record: ProcessRecord): boolean {
    const manifest = this.registry.peek(record.pattern);
    if (!manifest?.executable) return false;
    const { pattern, level, namespace, session } = record;
    const key = { pattern, level, namespace: namespace || undefined, session: session || undefined };
    if (processIdOf(key) !== record.id || this.#processes.peek(record.id)) return false;
    try {
      // The predecessor may have had other rules, or another manifest.
      checkVariables(record.config, manifest);
    } catch (error) {
      this.#options.log(`Not adopted: ${record.id}: ${(error as Error).message}`);
      return false;
    }
    this.#create(new LaunchedProcess(record.id, key, manifest, record.config, undefined, this.#context, { record, running: adopt(record, this.#state!.logFile(record.id)) }));
    return true;
  }

  // ── inside ──

  #create(process: LaunchedProcess): void {
    this.#processes.add(process);
    void this.#supervisor.updateProcess({ id: process.id, updateType: 'create', config: process });
  }

  #onFinished(id: string, reason: string): void {
    const process = this.#processes.peek(id);
    // Another life of this id may have been asked for already.
    if (process && !process.ended) return;
    if (process && reason === 'circuit-open') return process.exhaust();
    if (process) this.#processes.remove(process);
    void this.#supervisor.updateProcess({ id, updateType: 'terminate', terminateOptions: { evict: true } });
  }

  #told({ patterns, problems }: Discovery): void {
    this.#options.log(`Loaded ${patterns.size} patterns`);
    this.#tellProblems(problems);
  }

  #tellProblems(problems: readonly ManifestProblem[]): void {
    for (const problem of problems) this.#options.log(`Invalid manifest, skipped: ${problemText(problem)}`);
  }

  #makeContext(): LaunchedContext {
    const { clock, log, leftovers, stableAfter, onOutput, resources } = this.#options;
    const count = (counter: Counter) => ({ key }: LaunchedProcess) => this.metrics.count(counter, key.pattern, key.level);
    return {
      clock, log, stableAfter,
      ports: this.#ports,
      state: this.#state,
      survive: leftovers === 'adopt',
      marks: new Set(),
      starts: new Slots(this.#options.maxConcurrentStarts),
      shuttingDown: () => this.#shutdown !== undefined,
      nextLaunch: () => `${this.#instance}.${++this.#launches}`,
      manifest: (name) => this.registry.peek(name),
      resources: (manifest) => manifest.resources ?? resources,
      cgroups: () => (this.#cgroups ??= detectCgroups()),
      start: (request) => (request.manifest.process === undefined ? startExecutable(request) : startMimasProcess(request, (this.#manager ??= createProcessManager({ name: 'launcher' })))),
      // Deaths are failed attempts here: who dies again and again is given up until somebody asks for it.
      died: ({ id }, generation, error) => void this.#supervisor.notifyExit(id, { error, generation, start: true }),
      forget: (process) => this.#processes.remove(process),
      output: (id, line, stream) => onOutput({ id, line, stream }),
      onStart: (process, took) => {
        count('starts')(process);
        this.metrics.launched(took);
      },
      onStop: count('stops'),
      onFailure: count('failures'),
      onRestart: count('restarts'),
      onHealthCheck: (pattern, ok) => this.metrics.healthCheck(pattern, ok),
    };
  }

  async #shutDown(grace: number): Promise<void> {
    this.registry.close();
    clearInterval(this.#orphanTimer);
    // While processes end, those who ask are told so.
    for (const server of this.#servers) server.drain();
    try {
      // Force needs some time, too.
      await this.#supervisor.shutdown({ signal: AbortSignal.timeout(Math.min(grace + AFTER_KILL_MS, MAX_TIMEOUT)), gracePeriod: grace });
      await this.sweepOrphans();
      await this.#manager?.shutdown({ timeout: 0 });
    } finally {
      for (const process of this.#processes.all()) process.callOff();
      this.#processes.clear();
      await Promise.all(Array.from(this.#servers, (server) => server.close()));
      this.#ports.close();
      this.#state?.close();
    }
  }
}

const REQUEST = ['pattern', 'isolation', 'namespace', 'session', 'config', 'gracePeriod'];

function checkRequest(request: LaunchRequest): void {
  refuseUnknown(request, REQUEST, 'launch: ');
  const { pattern, namespace, session, config = {} } = request;
  if (!pattern) throw new LauncherError('INVALID_CONFIGURATION', 'pattern_name is required', { suggestion: 'Name a pattern' });
  for (const [name, value] of Object.entries({ pattern, namespace, session })) {
    if (value !== undefined && typeof value !== 'string') throw new LauncherError('INVALID_CONFIGURATION', `${name} must be a text`, { context: { option: name } });
  }
  for (const [name, value] of Object.entries(config)) {
    if (typeof value !== 'string') throw new LauncherError('INVALID_CONFIGURATION', `config.${name} must be a text`, { suggestion: 'Give environment variables as texts' });
    if (!canBeVariable(name, value)) throw new LauncherError('INVALID_CONFIGURATION', `config: ${JSON.stringify(name)} cannot be an environment variable`, { suggestion: 'Use another name' });
  }
}

/** A launcher whose predecessor's leftovers are dealt with. `await using launcher = await createLauncher()` ends all at the end. @throws LauncherError */
export async function createLauncher(options: LauncherOptions = {}): Promise<Launcher> {
  refuseOnWindows('createLauncher', 'it ends programs by process groups and signals', 'run it in WSL or a container');
  const resolved = resolveLauncherOptions(options);
  const launcher = new Launcher(resolved);
  try {
    await launcher.begin();
    return launcher;
  } catch (error) {
    await launcher.shutdown({ timeout: 0 });
    throw error;
  }
}
