// One spawned process through all its incarnations: the unit that the supervisor keeps alive, and the handle that users hold.
// Invariant: the proxy and this object stay the same; what runs behind them comes and goes.
import { nanoid } from 'nanoid';
import { LinkClosedError, ProcessStoppedError, RestartsExhaustedError } from '../errors.js';
import { Client } from '../rpc/client.js';
import { Meter } from '../rpc/meter.js';
import type { Session } from '../rpc/session.js';
import { stopProcess } from '../runtime/kill-ladder.js';
import type { Exit } from '../runtime/runtime.js';
import { startProcess, openCalls, type RunningProcess, type StartOptions } from '../runtime/start.js';
import { Emitter } from '../supervisor/emitter.js';
import type { SyncContext, SyncResult, TerminatingContext } from '../supervisor/syncer.js';
import type { HealthStatus, ProcessEvents, ProcessHandle, ProcessInfo, ProcessMetrics, ProcessStatus } from '../types.js';
import { refuseUnknown } from '../supervisor/options.js';
import { parseDuration, type Duration } from '../units.js';
import { deathError, outlives } from './death.js';
import type { Adoption, ManagedProcessContext } from './process-context.js';
import { ProcessMonitor } from './monitor.js';
import type { ResolvedOptions } from './options.js';
import { answers } from './probe.js';
import { startOrderOf } from './start-order.js';
import type { Unit } from './unit.js';

/** Output that explains a death may arrive just after it, ms. */
const OUTPUT_GRACE_MS = 15;

export class ManagedProcess implements Unit, ProcessHandle {
  readonly id: string;
  /** What its own sockets ask of those who connect. */
  readonly token = nanoid(32);
  readonly client: Client;
  readonly meter = new Meter();
  readonly events = new Emitter<ProcessEvents>();
  readonly #monitor: ProcessMonitor;
  #status: ProcessStatus = 'starting';
  #running: RunningProcess | undefined;
  #last: RunningProcess | undefined;
  #generation = 0;
  /** How often it has come up. */
  #incarnations = 0;
  #restarts = 0;
  #startTime: Date | undefined;
  #name: string;
  #version: string | undefined;
  #probing = false;
  #stopReason: { readonly reason: string; readonly signal: NodeJS.Signals | undefined } = { reason: 'stop', signal: undefined };
  #restarting = false;
  #everReady = false;
  #startError: unknown;
  #deathReason: Error | undefined;
  /** Makes the error of a call, once the restart policy has given up. */
  #exhausted: (() => Error) | undefined;
  #restart: Promise<void> | undefined;
  #adoption: Adoption | undefined;

  constructor(
    readonly file: string,
    readonly options: ResolvedOptions,
    private readonly context: ManagedProcessContext,
  ) {
    this.id = `${options.label}-${nanoid(10)}`;
    this.#name = options.name ?? this.id;
    this.#version = options.version;
    this.#generation = context.generation ?? 0;
    const name = () => this.#name;
    this.client = new Client({
      get name() {
        return name();
      },
      get describe() {
        return `${name()} (${options.isolation})`;
      },
      id: this.id,
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
  /** Why it is down, if it is. */
  get downReason(): Error | undefined {
    return this.#running ? undefined : (this.#exhausted?.() ?? this.#deathReason);
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

  async stop(options: { timeout?: Duration; reason?: string } = {}): Promise<void> {
    refuseUnknown(options, ['timeout', 'reason'], 'stop');
    const { timeout, reason = 'stop' } = options;
    const gracePeriod = timeout === undefined ? this.options.gracePeriod : parseDuration(timeout, 'timeout');
    this.#adoption?.stopped();
    await this.#stop(gracePeriod, reason);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const sent = signal !== 'SIGKILL' && this.#running?.incarnation.terminate(signal);
    this.#adoption?.stopped();
    // The signal itself and the order that follows it race; hooks hear the same from both.
    if (sent) await this.#stop(this.options.gracePeriod, 'signal', signal);
    else await this.#stop(0, 'kill');
  }

  /** Those who ask while a restart is under way get that one. */
  restart(): Promise<void> {
    if (this.#adoption) return this.#adoption.restart();
    this.#restart ??= this.startAgain().finally(() => (this.#restart = undefined));
    return this.#restart;
  }

  // ── what its group asks for ──

  adopt(adoption: Adoption): void {
    this.#adoption = adoption;
  }

  /** Ends it; calls wait, because it will be started again. */
  async pause(): Promise<void> {
    this.client.wait('its group to restart it');
    const ended = this.#stop(this.options.gracePeriod, 'restart');
    this.#restarting = true;
    await ended;
    this.#setStatus('restarting');
  }

  /** It does not run, and nobody will start it unless asked to: calls are refused. */
  refuse(status: 'stopped' | 'failed', error: () => Error = () => this.#stoppedError()): void {
    if (this.#running) return;
    this.#restarting = false;
    this.client.refuse(error);
    this.#setStatus(status);
  }

  /** The next incarnation, after the end of this one. */
  async startAgain(signal?: AbortSignal): Promise<void> {
    const { supervisor } = this.context;
    this.#stopReason = { reason: 'restart', signal: undefined };
    this.#restarting = true;
    this.client.wait('it to restart');
    const giveUp = () => void this.#stop(0, 'cancelled');
    try {
      if (supervisor.getProcessStatus(this.id) && !supervisor.isFinished(this.id)) {
        void supervisor.updateProcess({ id: this.id, updateType: 'terminate', terminateOptions: { gracePeriod: this.options.gracePeriod } });
      }
      const applied = supervisor.updateProcess({ id: this.id, updateType: 'create', config: this, restartPolicy: this.options.restartPolicy });
      signal?.addEventListener('abort', giveUp, { once: true });
      const { lastError } = await applied;
      if (!this.#running) throw lastError ?? this.#stoppedError();
      this.#restarts++;
    } finally {
      signal?.removeEventListener('abort', giveUp);
      this.#restarting = false;
      // With a group, that decides.
      if (!this.#adoption) this.#settleDown();
    }
  }

  async #stop(gracePeriod: number, reason: string, signal?: NodeJS.Signals): Promise<void> {
    const { supervisor } = this.context;
    this.#stopReason = { reason, signal };
    this.#restarting = false;
    if (!supervisor.getProcessStatus(this.id)) return;
    await supervisor.updateProcess({ id: this.id, updateType: 'terminate', terminateOptions: { gracePeriod } });
    if (!supervisor.isFinished(this.id)) await supervisor.whenFinished(this.id);
    this.#settleDown();
  }

  /** When nothing will bring it up again, no call may wait for that. */
  #settleDown(): void {
    const { supervisor } = this.context;
    if (this.#running || this.#restarting || (supervisor.getProcessStatus(this.id) && !supervisor.isFinished(this.id))) return;
    if (this.#status !== 'failed') this.#setStatus('stopped');
    this.client.refuse(this.#exhausted ?? (() => this.#stoppedError()));
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
      if (this.#everReady || signal.aborted) throw error;
      this.#startError = error;
      return { terminal: true, error };
    }
    this.#running = running;
    this.#last = running;
    this.#everReady = true;
    this.#deathReason = undefined;
    this.#exhausted = undefined;
    this.#name = running.started.name;
    this.#version = running.started.version;
    this.#startTime = new Date();
    if (this.context.listen && running.started.address) this.context.listen.address = running.started.address;
    void running.incarnation.exited.then((exit) => this.#died(running, exit));
    this.client.attach(running.calls);
    this.#monitor.started(running);
    this.#setStatus('running');
    this.events.emit('ready', { incarnation: ++this.#incarnations });
  }

  async terminate({ gracePeriod, signal }: TerminatingContext): Promise<void> {
    const running = this.#running;
    const end = this.context.supervisor.getProcessStatus(this.id);
    this.#running = undefined;
    this.#monitor.stopped();
    const stopped = () => this.#stoppedError();
    if (this.#restarting) this.client.wait('it to restart');
    else if (this.#adoption && !running && (end?.endReason === 'not-restarted' || end?.endReason === 'completed')) {
      this.client.wait('its group to restart it');
      this.#adoption.died(this.#deathReason ?? this.#stoppedError(), end.endReason === 'completed');
      return;
    } else if (end?.endReason === 'max-restarts' || end?.endReason === 'circuit-open') {
      const last = end.lastError!;
      this.#exhausted = () => new RestartsExhaustedError(`${this.name}: ${last.message}; $handle.restart() starts it again`, { process: this.name, restarts: this.#restarts, cause: this.#deathReason ?? last });
      this.client.refuse(this.#exhausted);
      this.#setStatus('failed');
      this.events.emit('failed', { error: this.#exhausted() });
      return;
    } else this.client.refuse(stopped);
    if (!running) {
      this.#setStatus(this.#startError || end?.endReason === 'not-restarted' ? 'failed' : 'stopped');
      return;
    }
    this.#setStatus('stopping');
    const cutOff = (method: string) => new ProcessStoppedError(`${this.name}.${method}(): the process was stopped while the call ran`, { process: this.name, method });
    void running.incarnation.exited.then(() => this.client.detach(running.calls, cutOff, 'it to restart'));
    await stopProcess(running, {
      ...this.#stopReason,
      grace: gracePeriod,
      hurry: signal,
      idle: () => this.client.idle(),
      onHookFailed: (message) => process.emitWarning(`shutdown hook of ${this.name}: ${message}`, 'MimasWarning'),
    });
    this.#setStatus(this.#restarting ? 'restarting' : 'stopped');
    if (!this.#restarting) this.events.emit('stop', { reason: this.#stopReason.reason });
  }

  // ── what happens to it ──

  /** A call was given up, or a health check got no answer: is its event loop alive? If not, only force helps. */
  async probe(): Promise<void> {
    const running = this.#running;
    if (this.#probing || !running || this.isolation === 'none') return;
    this.#probing = true;
    try {
      const { calls, control, incarnation } = running;
      const answered = (session: Session) => answers(Promise.race([session.ping(), incarnation.exited]), this.options.stuckTimeout);
      // First behind the call itself: another link may be read before the call is. A link may also be slow by its load alone.
      if (calls !== control && !calls.closed && (await answered(calls))) return;
      if ((await answered(control)) || this.#running !== running) return;
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
    // At once: a call that is made from now on must not be sent to the dead one.
    this.client.wait('it to restart');
    this.#setStatus('restarting');
    await running.incarnation.outputEnded(OUTPUT_GRACE_MS);
    const death = { name: this.name, maxMemory: this.options.maxMemory, running, exit, why: this.#deathReason };
    const explain = (method: string) => deathError(death, method);
    const error = (this.#deathReason = explain(''));
    this.client.detach(running.calls, explain, 'it to restart');
    if (running.calls !== running.control) for (const call of running.control.abandon(() => error)) call.fail(error);
    this.events.emit('crash', { error, exitCode: exit.code, signal: exit.signal });
    const clean = exit.code === 0 && !exit.error;
    // An explicit restart may begin the next generation meanwhile: it is not that one which died.
    const generation = this.context.supervisor.getProcessStatus(this.id)?.generation;
    // Grandchildren in its group must not meet the next incarnation.
    await running.incarnation.gone();
    this.context.supervisor.notifyExit(this.id, { error, clean, ...(generation !== undefined && { generation }) });
  }

  async #linkClosed(session: Session, error: Error | undefined): Promise<void> {
    const running = this.#running;
    if (!running || (session !== running.calls && session !== running.control)) return;
    this.client.wait('the link to come back');
    if (!(await outlives(running, this.options.stuckTimeout)) || this.#running !== running) return;
    const lost = (method: string) => new LinkClosedError(`${this.name}${method && `.${method}()`}: the link to the process was lost${error ? `: ${error.message}` : ''}`, { process: this.name, method, cause: error });
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

  #stoppedError(): Error {
    const cause = this.#deathReason ?? this.#startError;
    return new ProcessStoppedError(`${this.name}: the process is ${this.#status === 'stopping' ? 'stopping' : 'stopped'} and takes no calls`, { process: this.name, ...(cause === undefined ? {} : { cause }) });
  }

  async #startOptions(signal: AbortSignal | undefined): Promise<StartOptions> {
    const order = await startOrderOf(this, this.context, this.isolation === 'none' ? this.#generation++ : 0);
    return { ...order, signal, onLinkClosed: (session, error) => void this.#linkClosed(session, error) };
  }

  #setStatus(to: ProcessStatus): void {
    const from = this.#status;
    if (from === to) return;
    this.#status = to;
    this.events.emit('status', { from, to });
  }
}
