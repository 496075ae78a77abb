// One spawned process through all its incarnations: the unit that the supervisor keeps alive, and the handle that users hold.
// Invariant: the proxy and this object stay the same; what runs behind them comes and goes.
import { nanoid } from 'nanoid';
import type { Client } from '../rpc/client.js';
import { Meter } from '../rpc/meter.js';
import type { Session } from '../rpc/session.js';
import { stopProcess } from '../runtime/kill-ladder.js';
import type { Exit } from '../runtime/runtime.js';
import { startProcess, type RunningProcess, type StartOptions } from '../runtime/start.js';
import { Emitter } from '../supervisor/emitter.js';
import type { SupervisorEvents } from '../supervisor/engine.js';
import { haltError } from '../supervisor/halt.js';
import { noteStatusStep } from '../supervisor/process-status.js';
import type { SyncContext, SyncResult, TerminatingContext } from '../supervisor/syncer.js';
import type { HealthStatus, ProcessEvents, ProcessHandle, ProcessInfo, ProcessMetrics, ProcessStatus } from '../types.js';
import { refuseUnknown } from '../supervisor/options.js';
import { parseDuration, type Duration } from '../units.js';
import { clientOf, cutWhenAbandoned, relink } from './process-client.js';
import { cutOffError, deathError, exhaustedError, lostError, outlives, stoppedError } from './death.js';
import { Downtime, unlessItRests, upOrOver } from './downtime.js';
import type { Adoption, ManagedProcessContext, OwnEvents } from './process-context.js';
import { ProcessMonitor } from './monitor.js';
import type { ResolvedOptions } from './options.js';
import { startOrderOf } from './start-order.js';
import { Suspicion } from './suspicion.js';
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
  readonly down = new Downtime();
  /** For its pool. */
  readonly own = new Emitter<OwnEvents>();
  readonly #suspicion = new Suspicion();
  readonly #monitor: ProcessMonitor;
  #status: ProcessStatus = 'starting';
  #running: RunningProcess | undefined;
  #last: RunningProcess | undefined;
  /** How the last incarnation was started. */
  #options: StartOptions | undefined;
  #generation = 0;
  #incarnations = 0;
  #restarts = 0;
  #startTime: Date | undefined;
  #upAt = 0;
  #name: string;
  #version: string | undefined;
  #stopReason: { readonly reason: string; readonly signal: NodeJS.Signals | undefined } = { reason: 'stop', signal: undefined };
  /** Who wants it up again after its end: a restart under way, or its group. */
  #restarting: object | undefined;
  #everReady = false;
  #restart: Promise<void> | undefined;
  /** How it died is being found out. No other life begins before this is over. */
  #death: Promise<void> | undefined;
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
    this.client = clientOf(this);
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
    return this.#running ? undefined : this.down.reason(this.name, this.#restarts);
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
    const gracePeriod = options.timeout === undefined ? this.options.gracePeriod : parseDuration(options.timeout, 'timeout');
    this.#adoption?.stopped();
    await this.#stop(gracePeriod, options.reason ?? 'stop');
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
    if (this.#restart) return this.#restart;
    const restart = this.startAgain().finally(() => {
      if (this.#restart === restart) this.#restart = undefined;
    });
    return (this.#restart = restart);
  }

  // ── what its group asks for ──

  adopt(adoption: Adoption): void {
    this.#adoption = adoption;
  }

  /** Ends it; calls wait, because it will be started again. */
  async pause(): Promise<void> {
    this.client.wait('its group to restart it');
    const ended = this.#stop(this.options.gracePeriod, 'restart');
    const wish = (this.#restarting = {});
    await ended;
    if (this.#restarting === wish && !this.#running) this.#setStatus('restarting');
  }

  /** It does not run, and nobody will start it unless asked to: calls are refused. */
  refuse(status: 'stopped' | 'failed', error: () => Error = () => this.#stoppedError()): void {
    if (this.#running) return;
    this.#restarting = undefined;
    this.client.refuse(error);
    if (!this.#resting) this.#setStatus(status);
  }

  /** The next incarnation, after the end of this one. */
  async startAgain(signal?: AbortSignal): Promise<void> {
    const { supervisor } = this.context;
    this.#stopReason = { reason: 'restart', signal: undefined };
    const wish = (this.#restarting = {});
    this.client.wait('it to restart');
    const giveUp = () => void this.#stop(0, 'cancelled');
    try {
      if (supervisor.getProcessStatus(this.id) && !supervisor.isFinished(this.id)) {
        void supervisor.updateProcess({ id: this.id, updateType: 'terminate', terminateOptions: { gracePeriod: this.options.gracePeriod } });
      }
      const applied = supervisor.updateProcess({ id: this.id, updateType: 'create', config: this, restartPolicy: this.options.restartPolicy, heals: this.context.heals });
      signal?.addEventListener('abort', giveUp, { once: true });
      const { lastError, state } = await unlessItRests(upOrOver(applied, supervisor, this.id), this.own, (halt) => haltError(this.name, this.#restarts, halt));
      if (state !== 'Syncing') throw lastError ?? this.#stoppedError();
      this.#restarts++;
    } finally {
      signal?.removeEventListener('abort', giveUp);
      // A stop, or a later restart, may have overtaken this one.
      if (this.#restarting === wish) {
        this.#restarting = undefined;
        // With a group, that decides.
        if (!this.#adoption) this.#settleDown();
      }
    }
  }

  async #stop(gracePeriod: number, reason: string, signal?: NodeJS.Signals): Promise<void> {
    const { supervisor } = this.context;
    this.#stopReason = { reason, signal };
    this.#restarting = undefined;
    this.#restart = undefined;
    if (!supervisor.getProcessStatus(this.id)) return;
    const { generation } = await supervisor.updateProcess({ id: this.id, updateType: 'terminate', terminateOptions: { gracePeriod } });
    // Somebody may have begun its next life by now.
    if (supervisor.getProcessStatus(this.id)?.generation === generation) await supervisor.whenFinished(this.id);
    this.#settleDown();
  }

  /** When nothing will bring it up again, no call may wait for that. */
  #settleDown(): void {
    const { supervisor } = this.context;
    if (this.#running || this.#restarting || (supervisor.getProcessStatus(this.id) && !supervisor.isFinished(this.id))) return;
    if (!this.#resting) this.#setStatus('stopped');
    this.client.refuse(this.down.exhausted ?? (() => this.#stoppedError()));
  }

  // ── what the supervisor asks for ──

  async sync({ signal, cause, generation }: SyncContext): Promise<SyncResult | void> {
    await this.#death;
    if (this.#running) return;
    this.#setStatus(this.#everReady ? 'restarting' : 'starting');
    this.down.halt = undefined;
    if (cause === 'restart') this.#restarts++;
    let running: RunningProcess;
    try {
      this.#options = await this.#startOptions(signal);
      running = await startProcess(this.#options);
    } catch (error) {
      // A start that never worked will not work the next time either; one that did may.
      if (this.#everReady || signal.aborted) throw error;
      this.down.startError = error;
      return { terminal: true, error };
    }
    this.#running = this.#last = running;
    this.#everReady = true;
    this.down.over();
    this.#upAt = performance.now();
    this.#name = running.started.name;
    this.#version = running.started.version;
    this.#startTime = new Date();
    if (this.context.listen && running.started.address) this.context.listen.address = running.started.address;
    void running.incarnation.exited.then((exit) => this.#exited(running, exit, generation));
    this.client.attach(running.calls);
    this.#monitor.started(running);
    this.#setStatus('running');
    this.events.emit('ready', { incarnation: ++this.#incarnations });
  }

  async terminate({ gracePeriod, signal }: TerminatingContext): Promise<void> {
    const running = this.#running;
    this.#running = this.down.halt = undefined;
    this.#monitor.stopped();
    if (running) await this.#takeDown(running, gracePeriod, signal);
    else await this.#death;
    this.#rest(running !== undefined);
  }

  async #takeDown(running: RunningProcess, grace: number, hurry: AbortSignal): Promise<void> {
    if (this.#restarting) this.client.wait('it to restart');
    else this.client.refuse(() => this.#stoppedError());
    this.#setStatus('stopping');
    cutWhenAbandoned(running);
    void running.incarnation.exited.then(() => this.client.detach(running.calls, (method) => cutOffError(this.name, method), 'it to restart'));
    await stopProcess(running, {
      ...this.#stopReason,
      grace,
      hurry,
      idle: () => this.client.idle(),
      onHookFailed: (message) => process.emitWarning(`shutdown hook of ${this.name}: ${message}`, 'MimasWarning'),
    });
  }

  /** Nothing of it runs any more. What is said of it now holds until somebody asks for something else. */
  #rest(stopped: boolean): void {
    const { endReason, lastError } = this.context.supervisor.getProcessStatus(this.id) ?? {};
    if (this.#restarting) {
      this.client.wait('it to restart');
      this.#setStatus(this.#everReady ? 'restarting' : 'starting');
    } else if (this.#adoption && (endReason === 'not-restarted' || endReason === 'completed')) {
      this.client.wait('its group to restart it');
      this.#adoption.died(this.down.death ?? this.#stoppedError(), endReason === 'completed');
    } else if (endReason === 'max-restarts' || endReason === 'circuit-open') {
      const limit = endReason === 'max-restarts' ? 'maxRestarts' : 'maxFailures';
      this.down.exhausted = () => exhaustedError(this.name, this.#restarts, limit, lastError!, this.down.death);
      this.client.refuse(this.down.exhausted);
      this.#setStatus('failed');
      this.events.emit('failed', { error: this.down.exhausted(), limit });
    } else {
      this.client.refuse(() => this.#stoppedError());
      this.#setStatus(this.down.startError || endReason === 'not-restarted' ? 'failed' : 'stopped');
      if (stopped) this.events.emit('stop', { reason: this.#stopReason.reason });
    }
  }

  // ── what happens to it ──

  /** A call was given up, or a health check got no answer: is its event loop alive? If not, only force helps. */
  async probe(method?: string): Promise<void> {
    const running = this.#running;
    if (!running || this.isolation === 'none') return;
    if (!(await this.#suspicion.stuck(running, this.options.stuckTimeout, method)) || this.#running !== running) return;
    this.down.death = new Error(`its event loop did not answer for ${this.options.stuckTimeout} ms, so it was killed`);
    running.incarnation.kill();
  }

  /** The supervisor says when it is tried again; with a limit of its policy it rests until then. */
  judged({ retryIn, error: cause, limit, why = '' }: SupervisorEvents['failure']): void {
    if (retryIn === undefined) return;
    this.events.emit('restart', { attempt: this.#restarts + 1, delay: retryIn });
    if (!limit || this.#resting) return;
    const halt = (this.down.halt = { limit, why, until: performance.now() + retryIn, cause });
    // Calls that it had not been sent yet wait on; its pool sends it no others.
    this.own.emit('halt', halt);
    this.events.emit('failed', { error: haltError(this.name, this.#restarts, halt), limit, retryAfter: retryIn });
  }

  #exited({ incarnation }: RunningProcess, exit: Exit, generation: number): void {
    const running = this.#running;
    if (running?.incarnation !== incarnation) return;
    this.#running = undefined;
    this.#monitor.stopped();
    // At once: a call that is made from now on must not be sent to the dead one.
    this.client.wait('it to restart');
    cutWhenAbandoned(running);
    this.#death = this.#died(running, exit, generation).finally(() => (this.#death = undefined));
    this.#setStatus('restarting');
  }

  async #died(running: RunningProcess, exit: Exit, generation: number): Promise<void> {
    // Whom this side has killed has nothing to explain.
    if (!this.down.death) await running.incarnation.outputEnded(OUTPUT_GRACE_MS);
    const death = { name: this.name, maxMemory: this.options.maxMemory, running, exit, why: this.down.death };
    const explain = (method: string) => deathError(death, method);
    const error = (this.down.death = explain(''));
    const inFlight = this.client.detach(running.calls, explain, 'it to restart');
    if (running.calls !== running.control) for (const call of running.control.abandon(() => error)) call.fail(error);
    const methods = this.meter.died(this.#suspicion.blamed(inFlight, this.meter));
    this.events.emit('crash', { error, exitCode: exit.code, signal: exit.signal, methods });
    // Grandchildren in its group must not meet the next incarnation.
    await running.incarnation.gone();
    this.context.supervisor.notifyExit(this.id, { error, clean: exit.code === 0 && !exit.error, served: this.client.lastAnswered > this.#upAt, generation });
  }

  async #linkClosed(session: Session, error: Error | undefined): Promise<void> {
    const running = this.#running;
    if (!running || (session !== running.calls && session !== running.control)) return;
    this.client.wait('the link to come back');
    if (!(await outlives(running, this.options.stuckTimeout, error)) || this.#running !== running) return;
    const lost = (method: string) => lostError(this.name, method, error);
    const calls = await relink(this.client, running, this.#options!, lost);
    if (this.#running !== running) return calls?.close();
    if (calls) {
      this.#running = { ...running, calls };
      this.client.attach(calls);
      return;
    }
    // It does not take calls any more: a process that cannot be reached is restarted.
    this.down.death = lost('');
    running.incarnation.kill();
  }

  get #resting(): boolean {
    return this.#status === 'stopped' || this.#status === 'failed';
  }

  #stoppedError(): Error {
    return stoppedError(this.name, this.#status, this.down.death ?? this.down.startError);
  }

  async #startOptions(signal: AbortSignal): Promise<StartOptions> {
    return { ...(await startOrderOf(this, this.context, this.isolation === 'none' ? this.#generation++ : 0)), signal, onLinkClosed: (session, error) => void this.#linkClosed(session, error) };
  }

  #setStatus(to: ProcessStatus): void {
    const from = this.#status;
    if (from === to) return;
    this.#status = to;
    noteStatusStep(this.#name, from, to);
    this.events.emit('status', { from, to });
  }
}
