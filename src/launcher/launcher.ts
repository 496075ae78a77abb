// The launcher: patterns by name, one supervised process for each isolation key, on demand.
// Invariant: for one id there is at most one process, however many ask for it at once.
import { nanoid } from 'nanoid';
import { createProcessManager, type ProcessManager } from '../manager/process-manager.js';
import { createRemote } from '../rpc/remote.js';
import { createPrometheusCollector, type PrometheusCollector } from '../supervisor/prometheus.js';
import { Supervisor } from '../supervisor/supervisor.js';
import { within } from '../runtime/within.js';
import type { Remote } from '../types.js';
import { parseDuration, type Duration } from '../units.js';
import { detectCgroups, removeLeftCgroup, type CgroupSupport } from '../runtime/cgroups.js';
import { LauncherError } from './errors.js';
import { isSame } from './identity.js';
import { checkLevel, LEVEL_TITLES, processIdOf, type IsolationLevel } from './ids.js';
import { LaunchedProcess, MAX_ERRORS, type LaunchedContext } from './launched-process.js';
import { problemText } from './manifest.js';
import { LauncherMetrics, type JsonMetrics, type ProcessCounts } from './metrics.js';
import { resolveLauncherOptions, type LauncherOptions, type ResolvedLauncherOptions } from './options.js';
import { endOrphan, findMarked, ORPHAN_GRACE_MS } from './orphans.js';
import { Ports } from './ports.js';
import { PatternRegistry, type Discovery } from './registry.js';
import { matches, processInfo, type HealthReport, type ProcessFilter, type ProcessInfo, type ProcessState } from './report.js';
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
  /** Environment variables of this launch, over those of the manifest. A process that runs already keeps its own. */
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
  readonly #processes = new Map<string, LaunchedProcess>();
  readonly #ports: Ports;
  readonly #state: StateFolder | undefined;
  readonly #context: LaunchedContext;
  readonly #startedAt = performance.now();
  readonly #servers = new Set<LauncherServer>();
  #collector: PrometheusCollector;
  #launches = 0;
  #cgroups: CgroupSupport | undefined;
  #manager: ProcessManager | undefined;
  #orphanTimer: NodeJS.Timeout | undefined;
  #shutdown: Promise<void> | undefined;

  /** Use `createLauncher`. */
  constructor(options: ResolvedLauncherOptions, collector: PrometheusCollector) {
    this.#options = options;
    this.#collector = collector;
    this.registry = new PatternRegistry(options.patternsDir);
    for (const problem of this.registry.problems) options.log(`Invalid manifest, skipped: ${problemText(problem)}`);
    this.#ports = new Ports(options.portRange);
    this.#state = options.stateDir === undefined ? undefined : new StateFolder(options.stateDir, this.#instance);
    this.metrics = new LauncherMetrics(() => this.counts(), () => performance.now() - this.#startedAt);
    this.#context = this.#makeContext();
    this.#supervisor = new Supervisor<LaunchedProcess>({
      syncer: {
        syncProcess: (context, _type, process) => process.sync(context),
        syncTerminatingProcess: (context, process) => process.terminate(context),
        syncTerminatedProcess() {},
      },
      clock: options.clock,
      resyncInterval: options.resyncInterval,
      backOffPeriod: options.backOffPeriod,
      gracePeriod: options.gracePeriod,
      metrics: collector,
      restartPolicy: {
        maxRestarts: Infinity,
        maxFailures: MAX_ERRORS,
        stableAfter: options.stableAfter,
        backoff: { initial: Math.min(1000, options.backOffPeriod), max: options.backOffPeriod },
      },
    });
    this.#supervisor.on('finished', ({ id, reason }) => this.#onFinished(id, reason));
    if (options.watch) this.registry.watch((found) => this.#told(found), (error) => options.log(`Reload failed, the old patterns stay: ${error.message}`));
    this.#orphanTimer = setInterval(() => void this.sweepOrphans(), Math.min(options.orphanInterval, 2 ** 31 - 1));
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
    if (!request.pattern) throw new LauncherError('INVALID_CONFIGURATION', 'pattern_name is required', { suggestion: 'Name a pattern' });
    const manifest = this.registry.get(request.pattern);
    const level = checkLevel(request.isolation ?? manifest.isolationLevel ?? this.#options.defaultIsolation);
    const key = { pattern: manifest.name, level, namespace: request.namespace || undefined, session: request.session || undefined };
    const id = processIdOf(key);
    checkConfig(request.config);
    let process = this.#processes.get(id);
    if (!process || !this.#alive(process)) {
      if (!process && this.#processes.size >= this.#options.maxProcesses) {
        throw new LauncherError('RESOURCE_LIMIT_EXCEEDED', `all ${this.#options.maxProcesses} processes (maxProcesses) are in use`, { context: { process: id } });
      }
      const grace = request.gracePeriod === undefined ? undefined : parseDuration(request.gracePeriod, 'gracePeriod');
      process = new LaunchedProcess(id, key, manifest, request.config ?? {}, grace, this.#context);
      this.#create(process);
    }
    await process.whenUp();
    return this.#info(process);
  }

  list(filter: ProcessFilter = {}): ProcessInfo[] {
    return Array.from(this.#processes.values(), (process) => this.#info(process)).filter((info) => matches(info, filter));
  }

  /** Undefined when there is no such process. */
  status(id: string): ProcessInfo | undefined {
    const process = this.#processes.get(id);
    return process && this.#info(process);
  }

  /** SIGTERM, the grace, SIGKILL; resolves when nothing of the process group is left. @throws LauncherError PROCESS_NOT_FOUND, TERMINATION_FAILED */
  async terminate(id: string, { gracePeriod, force = false }: TerminateRequest = {}): Promise<void> {
    const process = this.#processes.get(id);
    if (!process) throw new LauncherError('PROCESS_NOT_FOUND', `process not found: ${id}`, { context: { process: id } });
    const grace = force ? 0 : gracePeriod === undefined ? process.gracePeriod : parseDuration(gracePeriod, 'gracePeriod');
    const ended = this.#supervisor.updateProcess({ id, updateType: 'terminate', terminateOptions: { evict: true, ...(grace !== undefined && { gracePeriod: grace }) } });
    if (!(await within(ended, (grace ?? this.#options.gracePeriod) + AFTER_KILL_MS))) {
      throw new LauncherError('TERMINATION_FAILED', `process ${id} did not die after SIGKILL`, { context: { process: id, pid: process.pid }, suggestion: 'The launcher goes on trying; look at what holds the process in the kernel' });
    }
    if (this.#supervisor.getProcessStatus(id)?.state === 'Terminated') await this.#supervisor.whenFinished(id);
    process.callOff();
    if (this.#processes.get(id) === process) this.#processes.delete(id);
  }

  /** The typed proxy of a launched Mimas process (`process:` in its manifest). @throws LauncherError */
  proxy<T>(id: string): Remote<T> {
    const unit = this.#processes.get(id)?.running?.unit;
    if (!unit) throw new LauncherError('PROCESS_NOT_FOUND', `${id}: there is no running Mimas process of this id`, { context: { process: id } });
    return createRemote(unit.client) as Remote<T>;
  }

  /** The last lines that a process printed. @throws LauncherError PROCESS_NOT_FOUND */
  logs(id: string): readonly string[] {
    const process = this.#processes.get(id);
    if (!process) throw new LauncherError('PROCESS_NOT_FOUND', `process not found: ${id}`, { context: { process: id } });
    return process.running?.lines() ?? [];
  }

  health(): HealthReport {
    const { total, running, terminating, failed, isolation } = this.counts();
    return { healthy: failed === 0 && !this.#shutdown, totalProcesses: total, runningProcesses: running, terminatingProcesses: terminating, failedProcesses: failed, isolationDistribution: isolation, uptimeSeconds: this.uptimeSeconds };
  }

  /** It takes launches. */
  get ready(): boolean {
    return !this.#shutdown;
  }

  counts(): ProcessCounts {
    const counts: ProcessCounts = { total: 0, running: 0, terminating: 0, failed: 0, isolation: {} };
    for (const process of this.#processes.values()) {
      const state = this.#stateOf(process);
      counts.total++;
      if (state === 'RUNNING') counts.running++;
      if (state === 'TERMINATING') counts.terminating++;
      if (state === 'FAILED') counts.failed++;
      const title = LEVEL_TITLES[process.key.level];
      counts.isolation[title] = (counts.isolation[title] ?? 0) + 1;
    }
    return counts;
  }

  /** The seed's `pattern_launcher_*` series, then the supervisor's `procmgr_*`. */
  async exportPrometheusMetrics(): Promise<string> {
    return this.metrics.prometheus() + (await this.#collector.exposition());
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

  /** Serves gRPC and HTTP. @throws LauncherError when a port cannot be had */
  async serve(options: ServeOptions = {}): Promise<LauncherServer> {
    const { startServer } = await import('./server.js');
    const server = await startServer(this, options);
    this.#servers.add(server);
    return server;
  }

  /** Ends processes that carry this launcher's mark but belong to no process that it knows. Answers how many. */
  async sweepOrphans(): Promise<number> {
    const live = new Set(Array.from(this.#processes.values(), ({ launchMark }) => launchMark));
    return this.#endOrphans(findMarked(this.#instance).filter(({ launch }) => !live.has(launch)));
  }

  /** Ends all processes and servers. @throws ShutdownIncompleteError when something outlives the deadline */
  shutdown({ timeout }: { timeout?: Duration | undefined } = {}): Promise<void> {
    this.#shutdown ??= this.#shutDown(timeout);
    return this.#shutdown;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  // ── at the beginning ──

  /** Deals with what a predecessor over the same state folder has left. */
  async takeOver(): Promise<void> {
    const state = this.#state;
    if (!state) return;
    const adopted = new Set<string>();
    const left: ProcessRecord[] = [];
    for (const record of state.records()) {
      if (!isSame(record)) state.remove(record.launch);
      else if (this.#options.leftovers === 'adopt' && this.#adopt(record)) adopted.add(record.launch);
      else left.push(record);
    }
    const recorded = new Set(left.map(({ pid }) => pid));
    const marked = state.predecessor === undefined ? [] : findMarked(state.predecessor).filter(({ launch, pid }) => !adopted.has(launch) && !recorded.has(pid));
    await this.#endOrphans([...left, ...marked]);
    for (const { launch } of left) {
      removeLeftCgroup(launch, this.#context.cgroups());
      state.remove(launch);
    }
    // One that cannot be adopted after all is told in the log.
    await Promise.allSettled(Array.from(this.#processes.values(), (process) => process.whenUp()));
  }

  #adopt(record: ProcessRecord): boolean {
    const manifest = this.registry.peek(record.pattern);
    if (!manifest?.executable) return false;
    const { pattern, level, namespace, session } = record;
    const key = { pattern, level, namespace: namespace || undefined, session: session || undefined };
    if (processIdOf(key) !== record.id || this.#processes.has(record.id)) return false;
    this.#create(new LaunchedProcess(record.id, key, manifest, record.config, undefined, this.#context, { record, running: adopt(record) }));
    return true;
  }

  async #endOrphans(orphans: readonly { pid: number; startTicks: string; boot: string }[]): Promise<number> {
    if (orphans.length === 0) return 0;
    this.#options.log(`Found ${orphans.length} orphaned pattern processes, cleaning up...`);
    await Promise.all(orphans.map(async (orphan) => {
      if (await endOrphan(orphan, ORPHAN_GRACE_MS)) this.#options.log(`Terminated orphaned process: pid=${orphan.pid}`);
    }));
    return orphans.length;
  }

  // ── inside ──

  #create(process: LaunchedProcess): void {
    this.#processes.set(process.id, process);
    void this.#supervisor.updateProcess({ id: process.id, updateType: 'create', config: process });
  }

  /** It runs, or somebody is at work to make it run. */
  #alive(process: LaunchedProcess): boolean {
    const state = this.#supervisor.getProcessStatus(process.id)?.state;
    return process.awaited || (!process.ended && (state === 'Starting' || state === 'Syncing'));
  }

  #stateOf(process: LaunchedProcess): ProcessState {
    if (process.exhausted) return 'FAILED';
    if (process.awaited) return 'STARTING';
    switch (this.#supervisor.getProcessStatus(process.id)?.state) {
      case 'Terminating':
        return 'TERMINATING';
      case 'Terminated':
        return 'TERMINATED';
      case 'Finished':
        return 'FINISHED';
      default:
        return process.up ? 'RUNNING' : 'STARTING';
    }
  }

  #info(process: LaunchedProcess): ProcessInfo {
    return processInfo(process, this.#stateOf(process), this.#supervisor.getProcessStatus(process.id)?.restartCount ?? 0, this.#options.clock.now());
  }

  #onFinished(id: string, reason: string): void {
    const process = this.#processes.get(id);
    // Another life of this id may have been asked for already.
    if (!process?.ended) return;
    if (reason === 'circuit-open') process.exhaust();
    else {
      this.#processes.delete(id);
      void this.#supervisor.updateProcess({ id, updateType: 'terminate', terminateOptions: { evict: true } });
    }
  }

  #told({ patterns, problems }: Discovery): void {
    this.#options.log(`Loaded ${patterns.size} patterns`);
    for (const problem of problems) this.#options.log(`Invalid manifest, skipped: ${problemText(problem)}`);
  }

  #makeContext(): LaunchedContext {
    const { clock, log, leftovers, stableAfter, onOutput, resources } = this.#options;
    const count = (counter: 'starts' | 'stops' | 'failures' | 'restarts') => ({ key }: LaunchedProcess) => this.metrics.count(counter, key.pattern, key.level);
    return {
      clock, log, stableAfter,
      ports: this.#ports,
      state: this.#state,
      survive: leftovers === 'adopt',
      instance: this.#instance,
      nextLaunch: () => `${this.#instance}.${++this.#launches}`,
      manifest: (name) => this.registry.peek(name),
      resources: (manifest) => manifest.resources ?? resources,
      cgroups: () => (this.#cgroups ??= detectCgroups()),
      start: (request) => (request.manifest.process === undefined ? startExecutable(request) : startMimasProcess(request, (this.#manager ??= createProcessManager({ name: 'launcher' })))),
      died: ({ id }, error) => void this.#supervisor.notifyExit(id, { error }),
      output: ({ id }, line, stream) => onOutput({ id, line, stream }),
      onStart: (process, took) => {
        count('starts')(process);
        this.metrics.launched(took);
      },
      onStop: count('stops'),
      onFailure: count('failures'),
      onRestart: count('restarts'),
      onHealthCheck: ({ key }, ok) => this.metrics.healthCheck(key.pattern, ok),
    };
  }

  async #shutDown(timeout: Duration | undefined): Promise<void> {
    const grace = timeout === undefined ? this.#options.gracePeriod : parseDuration(timeout, 'timeout');
    this.registry.close();
    clearInterval(this.#orphanTimer);
    await Promise.all(Array.from(this.#servers, (server) => server.close()));
    try {
      // Force needs some time, too.
      await this.#supervisor.shutdown({ signal: AbortSignal.timeout(Math.min(grace + 5_000, 2 ** 31 - 1)), gracePeriod: grace });
      await this.sweepOrphans();
      await this.#manager?.shutdown({ timeout: 0 });
    } finally {
      for (const process of this.#processes.values()) process.callOff();
      this.#processes.clear();
      this.#ports.close();
      this.#state?.close();
    }
  }
}

function checkConfig(config: Readonly<Record<string, string>> = {}): void {
  for (const [name, value] of Object.entries(config)) {
    if (typeof value !== 'string') throw new LauncherError('INVALID_CONFIGURATION', `config.${name} must be a text`, { suggestion: 'Give environment variables as texts' });
    if (name === '' || /[=\0]/.test(name) || value.includes('\0')) throw new LauncherError('INVALID_CONFIGURATION', `config: ${JSON.stringify(name)} cannot be an environment variable`, { suggestion: 'Use another name' });
  }
}

/** A launcher whose predecessor's leftovers are dealt with. `await using launcher = await createLauncher()` ends all at the end. @throws LauncherError */
export async function createLauncher(options: LauncherOptions = {}): Promise<Launcher> {
  const resolved = resolveLauncherOptions(options);
  const launcher = new Launcher(resolved, await createPrometheusCollector());
  await launcher.takeOver();
  return launcher;
}
