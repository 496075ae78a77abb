// One spawned process through all its incarnations: the unit that the supervisor keeps alive, and the handle that users hold.
// Invariant: the proxy and this object stay the same; what runs behind them comes and goes.
import { LinkClosedError, MemoryLimitError, ProcessCrashedError, ProcessStoppedError, RestartsExhaustedError } from '../errors.js';
import { Client } from '../rpc/client.js';
import { Meter } from '../rpc/meter.js';
import type { Session } from '../rpc/session.js';
import { stopProcess } from '../runtime/kill-ladder.js';
import type { Exit, Launch } from '../runtime/runtime.js';
import { startProcess, openCalls, type RunningProcess, type StartOptions } from '../runtime/start.js';
import { Emitter } from '../supervisor/emitter.js';
import type { Supervisor } from '../supervisor/supervisor.js';
import type { SyncContext, SyncResult, TerminatingContext } from '../supervisor/syncer.js';
import type { HealthStatus, ProcessEvents, ProcessHandle, ProcessInfo, ProcessMetrics, ProcessStatus } from '../types.js';
import { parseDuration, type Duration } from '../units.js';
import { addressFor } from './addresses.js';
import { ProcessMonitor } from './monitor.js';
import type { ResolvedOptions } from './options.js';
import { answers } from './probe.js';
import type { Unit } from './unit.js';

/** The end of a link and the death behind it are told apart by which is heard of within this time, ms. */
const DEATH_GRACE_MS = 25;
/** Output that explains a death may arrive just after it, ms. */
const OUTPUT_GRACE_MS = 15;

export interface ManagedProcessContext {
  readonly supervisor: Supervisor<Unit>;
  readonly owner: string;
  readonly token: string;
  launch(isolation: ResolvedOptions['isolation']): Promise<Launch>;
  /** The folder for unix sockets. */
  socketFolder(): string;
  /** Above 0 the file is read anew even in this thread, as the reload of a pool needs. */
  readonly generation?: number;
}

export class ManagedProcess implements Unit, ProcessHandle {
  readonly client: Client;
  readonly meter = new Meter();
  readonly events = new Emitter<ProcessEvents>();
  readonly #monitor: ProcessMonitor;
  #status: ProcessStatus = 'starting';
  #running: RunningProcess | undefined;
  #last: RunningProcess | undefined;
  #generation = 0;
  #restarts = 0;
  #startTime: Date | undefined;
  #name: string;
  #version: string | undefined;
  #probing = false;
  #stopReason = 'stop';
  #restarting = false;
  #everReady = false;
  #startError: unknown;
  #deathReason: Error | undefined;

  constructor(
    readonly file: string,
    readonly options: ResolvedOptions,
    private readonly context: ManagedProcessContext,
  ) {
    this.#name = options.name ?? options.id;
    this.#version = options.version;
    this.#generation = context.generation ?? 0;
    const process = this;
    this.client = new Client({
      get name() {
        return process.#name;
      },
      get describe() {
        return `${process.#name} (${options.isolation})`;
      },
      id: options.id,
      level: options.transport === 'ipc' && options.isolation !== 'child' ? 'objects' : 'bytes',
      meter: options.metrics ? this.meter : undefined,
      timeout: options.timeout,
      queueTimeout: options.queueTimeout,
      maxQueue: options.maxQueue,
      maxFrame: options.maxFrame,
      tracing: options.tracing,
      handle: () => this,
      onSuspect: () => void this.probe(),
    });
    this.#monitor = new ProcessMonitor(this);
  }

  // ── facts ──

  get id(): string {
    return this.options.id;
  }
  get name(): string {
    return this.#name;
  }
  get version(): string | undefined {
    return this.#version;
  }
  get isolation() {
    return this.options.isolation;
  }
  get transport() {
    return this.options.transport;
  }
  get status(): ProcessStatus {
    return this.#status;
  }
  get restarts(): number {
    return this.#restarts;
  }
  get startTime(): Date | undefined {
    return this.#startTime;
  }
  get methods(): readonly string[] {
    return this.client.methods();
  }
  get pid(): number | undefined {
    return this.#running?.started.pid;
  }
  get threadId(): number | undefined {
    return this.isolation === 'child' ? undefined : this.#running?.started.threadId;
  }
  get running(): RunningProcess | undefined {
    return this.#running;
  }
  /** Why it died or could not start the last time. */
  get failure(): Error | undefined {
    return this.#deathReason ?? (this.#startError instanceof Error ? this.#startError : undefined);
  }
  /** Why the first start failed. */
  get startError(): unknown {
    return this.#startError;
  }

  info(): ProcessInfo {
    const { id, name, version, file, status, isolation, transport, pid, threadId, startTime, restarts } = this;
    return { id, name, version, file, status, isolation, transport, pid, threadId, startTime, restarts };
  }

  health(): Promise<HealthStatus> {
    return this.#monitor.health();
  }

  metrics(): Promise<ProcessMetrics> {
    return this.#monitor.metrics();
  }

  logs(): readonly string[] {
    return (this.#running ?? this.#last)?.incarnation.lines() ?? [];
  }

  on<E extends keyof ProcessEvents>(event: E, listener: (detail: ProcessEvents[E]) => void): () => void {
    return this.events.on(event, listener);
  }

  // ── what users ask for ──

  async stop({ timeout, reason = 'stop' }: { timeout?: Duration; reason?: string } = {}): Promise<void> {
    const gracePeriod = timeout === undefined ? this.options.gracePeriod : parseDuration(timeout, 'timeout');
    this.#stopReason = reason;
    this.#restarting = false;
    await this.#finish(gracePeriod);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (signal !== 'SIGKILL' && this.#running?.incarnation.terminate(signal)) {
      await this.stop({ reason: 'signal' });
      return;
    }
    this.#stopReason = 'kill';
    this.#restarting = false;
    await this.#finish(0);
  }

  async restart(): Promise<void> {
    const { supervisor } = this.context;
    this.#stopReason = 'restart';
    this.#restarting = true;
    this.client.wait('it to restart');
    if (supervisor.getProcessStatus(this.id) && !supervisor.isFinished(this.id)) {
      void supervisor.updateProcess({ id: this.id, updateType: 'terminate', terminateOptions: { gracePeriod: this.options.gracePeriod } });
    }
    this.#restarts++;
    const status = await supervisor.updateProcess({ id: this.id, updateType: 'create', config: this, restartPolicy: this.options.restartPolicy });
    this.#restarting = false;
    if (!this.#running) throw status.lastError ?? this.#stoppedError();
  }

  async #finish(gracePeriod: number): Promise<void> {
    const { supervisor } = this.context;
    if (!supervisor.getProcessStatus(this.id)) return;
    await supervisor.updateProcess({ id: this.id, updateType: 'terminate', terminateOptions: { gracePeriod } });
    if (!supervisor.isFinished(this.id)) await supervisor.whenFinished(this.id);
  }

  // ── what the supervisor asks for ──

  async sync({ signal, cause }: SyncContext): Promise<SyncResult | void> {
    if (this.#running) return;
    this.#setStatus(this.#everReady ? 'restarting' : 'starting');
    if (cause === 'restart') this.#restarts++;
    let running: RunningProcess;
    try {
      running = await startProcess(await this.#startOptions(signal));
    } catch (error) {
      // A start that never worked will not work the next time either; one that did may.
      if (this.#everReady) throw error;
      this.#startError = error;
      return { terminal: true, error };
    }
    this.#running = running;
    this.#last = running;
    this.#everReady = true;
    this.#deathReason = undefined;
    this.#name = running.started.name;
    this.#version = running.started.version;
    this.#startTime = new Date();
    void running.incarnation.exited.then((exit) => this.#died(running, exit));
    this.client.attach(running.calls);
    this.#monitor.started(running);
    this.#setStatus('running');
    this.events.emit('ready', { incarnation: this.#generation });
  }

  async terminate({ gracePeriod, signal }: TerminatingContext): Promise<void> {
    const running = this.#running;
    const end = this.context.supervisor.getProcessStatus(this.id);
    this.#running = undefined;
    this.#monitor.stopped();
    const stopped = () => this.#stoppedError();
    if (this.#restarting) this.client.wait('it to restart');
    else if (end?.endReason === 'max-restarts' || end?.endReason === 'circuit-open') {
      const last = end.lastError!;
      this.client.refuse(() => new RestartsExhaustedError(`${this.name}: ${last.message}; $handle.restart() starts it again`, { process: this.name, restarts: this.#restarts, cause: this.#deathReason ?? last }));
      this.#setStatus('failed');
      this.events.emit('failed', { error: last });
      return;
    } else this.client.refuse(stopped);
    if (!running) {
      this.#setStatus(this.#startError || end?.endReason === 'not-restarted' ? 'failed' : 'stopped');
      return;
    }
    this.#setStatus('stopping');
    const cutOff = (method: string) => new ProcessStoppedError(`${this.name}.${method}(): the process was stopped while the call ran`, { process: this.name, method, maybeExecuted: true });
    void running.incarnation.exited.then(() => this.client.detach(running.calls, cutOff, 'it to restart'));
    await stopProcess(running, {
      reason: this.#stopReason,
      signal: undefined,
      grace: gracePeriod,
      hurry: signal,
      idle: () => this.client.idle(),
      onHookFailed: (message) => process.emitWarning(`shutdown hook of ${this.name}: ${message}`, 'MimasWarning'),
    });
    this.#setStatus(this.#restarting ? 'restarting' : 'stopped');
    if (!this.#restarting) this.events.emit('stop', { reason: this.#stopReason });
  }

  // ── what happens to it ──

  /** A call was given up, or a health check got no answer: is its event loop alive? If not, only force helps. */
  async probe(): Promise<void> {
    const running = this.#running;
    if (this.#probing || !running || this.isolation === 'none') return;
    this.#probing = true;
    try {
      const alive = await answers(Promise.race([running.control.ping(), running.incarnation.exited]), this.options.stuckTimeout);
      if (alive || this.#running !== running) return;
      this.#deathReason = new Error(`its event loop did not answer for ${this.options.stuckTimeout} ms, so it was killed`);
      running.incarnation.kill();
    } finally {
      this.#probing = false;
    }
  }

  async #died(running: RunningProcess, exit: Exit): Promise<void> {
    if (this.#running !== running) return;
    this.#running = undefined;
    this.#monitor.stopped();
    await running.incarnation.outputEnded(OUTPUT_GRACE_MS);
    const error = this.#deathError(running, exit, '');
    this.#deathReason = error;
    this.#setStatus('restarting');
    this.client.detach(running.calls, (method) => this.#deathError(running, exit, method), 'it to restart');
    if (running.calls !== running.control) for (const call of running.control.abandon(() => error)) call.fail(error);
    this.events.emit('crash', { error, exitCode: exit.code, signal: exit.signal });
    const clean = exit.code === 0 && !exit.error;
    // Grandchildren in its group must not meet the next incarnation.
    await running.incarnation.gone();
    this.context.supervisor.notifyExit(this.id, { error, clean });
  }

  async #linkClosed(session: Session, error: Error | undefined): Promise<void> {
    const running = this.#running;
    if (!running || (session !== running.calls && session !== running.control)) return;
    if (await answers(running.incarnation.exited, DEATH_GRACE_MS)) return;
    if (this.#running !== running) return;
    const lost = (method: string) => new LinkClosedError(`${this.name}${method && `.${method}()`}: the link to the process was lost${error ? `: ${error.message}` : ''}`, { process: this.name, method, maybeExecuted: true, cause: error });
    if (running.calls !== running.control && !running.control.closed) {
      this.client.detach(running.calls, lost, 'the link to come back');
      try {
        const calls = await openCalls(running.started, await this.#startOptions(undefined));
        const reopened = { ...running, calls };
        if (this.#running !== running) calls.close();
        else {
          this.#running = reopened;
          void running.incarnation.exited.then((exit) => this.#died(reopened, exit));
          this.client.attach(calls);
        }
        return;
      } catch {
        // It does not take calls any more: a process that cannot be reached is restarted.
      }
    }
    this.#deathReason = lost('');
    running.incarnation.kill();
  }

  #deathError(running: RunningProcess, exit: Exit, method: string): Error {
    const { name } = this;
    const where = method ? `${name}.${method}()` : name;
    if (exit.outOfMemory) {
      return new MemoryLimitError(`${where}: the process went over its memory limit of ${this.options.maxMemory ?? 'Node’s default'} bytes and was ended`, { process: name, limit: this.options.maxMemory ?? 0, method, maybeExecuted: true });
    }
    const why = this.#deathReason && !(this.#deathReason instanceof ProcessCrashedError) ? this.#deathReason : undefined;
    const how = why ? why.message : exit.error ? `it threw ${exit.error.name}: ${exit.error.message}` : exit.signal ? `it was ended by ${exit.signal}` : `it exited with code ${exit.code}`;
    const stderrTail = running.incarnation.stderrTail();
    return new ProcessCrashedError(`${where}: the process died${method ? ' while the call ran' : ''}: ${how}${stderrTail ? `\n${indent(stderrTail)}` : ''}`, {
      process: name,
      method,
      maybeExecuted: true,
      exitCode: exit.code,
      signal: exit.signal,
      stderrTail,
      ...(exit.error || why ? { cause: exit.error ?? why } : {}),
    });
  }

  #stoppedError(): Error {
    const cause = this.#deathReason ?? this.#startError;
    return new ProcessStoppedError(`${this.name}: the process is ${this.#status === 'stopping' ? 'stopping' : 'stopped'} and takes no calls`, { process: this.name, ...(cause === undefined ? {} : { cause }) });
  }

  async #startOptions(signal: AbortSignal | undefined): Promise<StartOptions> {
    const { options, context, file } = this;
    return {
      launch: await context.launch(options.isolation),
      launchOptions: {
        name: this.name,
        env: options.env,
        cwd: options.cwd,
        argv: options.argv,
        execArgv: options.execArgv,
        maxMemory: options.maxMemory,
        maxFrame: options.maxFrame,
        inheritOutput: options.inheritOutput,
        onLine: (line, stream) => this.events.emit('log', { line, stream }),
      },
      order: {
        id: options.id,
        name: options.name,
        version: options.version,
        file,
        dependencies: options.dependencies,
        generation: options.isolation === 'none' ? this.#generation++ : 0,
        transport: options.transport,
        address: options.transport === 'ipc' ? undefined : addressFor(options.transport, options.tls !== undefined, options.id, () => context.socketFolder()),
        token: context.token,
        tls: options.tls,
        maxFrame: options.maxFrame,
        owner: context.owner,
      },
      client: this.client,
      startupTimeout: options.startupTimeout,
      signal,
      onLinkClosed: (session, error) => void this.#linkClosed(session, error),
    };
  }

  #setStatus(to: ProcessStatus): void {
    const from = this.#status;
    if (from === to) return;
    this.#status = to;
    this.events.emit('status', { from, to });
  }
}

const indent = (text: string): string => text.replace(/^/gm, '    ');
