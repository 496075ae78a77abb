// One replica of a component through all its lives: what the supervisor keeps alive, and what the pipeline knows of it.
// Invariant: `healthy` is said only after a passed check, `stopped` and `failed` only when nothing of it runs any more.
import { ComponentFailedError } from '../errors.js';
import type { OutputStream } from '../runtime/output.js';
import type { Prober } from '../runtime/prober.js';
import type { Slots } from '../runtime/slots.js';
import type { RestartPolicyOptions } from '../supervisor/restart-options.js';
import type { EndReason } from '../supervisor/status.js';
import type { Supervisor } from '../supervisor/supervisor.js';
import type { SyncContext, SyncResult, TerminatingContext } from '../supervisor/syncer.js';
import { livenessProberFor, proberFor } from './health.js';
import { replicaId, type Component, type Restart } from './model.js';
import type { Exit, Orchestrator, Replica, Running } from './orchestrator.js';

/** `running`: up, and there is no check that could say more. */
export type ComponentState = 'pending' | 'starting' | 'running' | 'healthy' | 'unhealthy' | 'restarting' | 'stopping' | 'stopped' | 'completed' | 'failed' | 'skipped';

export const UP: readonly ComponentState[] = ['running', 'healthy', 'unhealthy'];
const ENDED: readonly ComponentState[] = ['stopped', 'completed', 'failed', 'skipped'];

/** Without a check, a component is up when it has lived so long, ms. */
const SETTLING = 250;
const KEPT_LINES = 20;

export interface UnitContext {
  readonly supervisor: Supervisor<ComponentUnit>;
  readonly orchestrator: Orchestrator;
  /** How many may start at a time. */
  readonly starts: Slots;
  env(replica: Replica): Readonly<Record<string, string>>;
  onState(unit: ComponentUnit, from: ComponentState): void;
  onLine(unit: ComponentUnit, line: string, stream: OutputStream): void;
}

export class ComponentUnit implements Replica {
  readonly id: string;
  #component: Component;
  #state: ComponentState = 'pending';
  #detail: string | undefined;
  #running: Running | undefined;
  #prober: Prober | undefined;
  #liveness: Prober | undefined;
  #death: Promise<void> | undefined;
  #lines: string[] = [];
  #lastExit: Exit | undefined;
  #error: ComponentFailedError | undefined;
  /** Why it did not come up after its last death. */
  #notAgain: string | undefined;
  #everUp = false;
  #passed = false;
  #again = false;
  /** A life has begun and is not Finished. */
  #living = false;
  /** Who asks last has his way: the number and the end of the last restart or stop that was asked for. */
  #turn = 0;
  #latest: Promise<void> = Promise.resolve();
  #startedAt: number | undefined;
  /** When this life, restarts included, began. */
  #since = 0;
  restarts = 0;

  constructor(
    component: Component,
    readonly index: number,
    private readonly context: UnitContext,
  ) {
    this.#component = component;
    this.id = replicaId(component.id, index);
  }

  get component(): Component {
    return this.#component;
  }
  get state(): ComponentState {
    return this.#state;
  }
  /** Why it is in this state, when there is more to say. */
  get detail(): string | undefined {
    return this.#detail;
  }
  get running(): Running | undefined {
    return this.#running;
  }
  get lastExit(): Exit | undefined {
    return this.#lastExit;
  }
  get error(): ComponentFailedError | undefined {
    return this.#error;
  }
  /** It has been up at least once in this life. */
  get everUp(): boolean {
    return this.#everUp;
  }
  /** Its health check has passed in this life. */
  get passed(): boolean {
    return this.#passed;
  }
  /** This life, restarts included, began after `moment` and is still within the window that its restarts are counted in. */
  isNewSince(moment: number): boolean {
    return this.#since > moment && performance.now() - this.#since < this.#component.restart.window;
  }
  get startedAt(): number | undefined {
    return this.#startedAt;
  }
  get ended(): boolean {
    return ENDED.includes(this.#state);
  }

  // ── what the runner asks for ──

  /** Resolves when it is up, has completed, or has failed: look at `state`. */
  async start(): Promise<void> {
    const { supervisor } = this.context;
    this.#living = true;
    this.#since = performance.now();
    this.#lastExit = undefined;
    this.#error = undefined;
    this.#detail = undefined;
    this.#everUp = false;
    this.#passed = false;
    this.#notAgain = undefined;
    await supervisor.updateProcess({ id: this.id, updateType: 'create', config: this, restartPolicy: policyOf(this.#component.restart) });
    // Given up within the start: what it is called is known at Finished.
    if (supervisor.isTerminated(this.id) && !supervisor.isFinished(this.id)) await supervisor.whenFinished(this.id);
  }

  stop(gracePeriod = this.#component.stop.gracePeriod): Promise<void> {
    this.#turn++;
    this.#again = false;
    return (this.#latest = this.#end(gracePeriod));
  }

  /** One that waits for its first start goes on waiting. */
  restart(): Promise<void> {
    if (!this.#living && this.#state === 'pending') return Promise.resolve();
    return (this.#latest = this.#endAndStart(++this.#turn));
  }

  async #end(gracePeriod: number): Promise<void> {
    if (!this.#living) {
      if (!this.ended) this.#set('stopped');
      return;
    }
    const { supervisor } = this.context;
    void supervisor.updateProcess({ id: this.id, updateType: 'terminate', terminateOptions: { gracePeriod } });
    await supervisor.whenFinished(this.id);
  }

  async #endAndStart(turn: number): Promise<void> {
    if (this.#living) {
      this.#again = true;
      await this.#end(this.#component.stop.gracePeriod);
    }
    // Stopped, or restarted once more, in the meantime.
    if (turn !== this.#turn) return this.#latest;
    this.#again = false;
    this.restarts++;
    await this.start();
  }

  /** As if it had never been started. */
  reset(): void {
    this.#error = undefined;
    this.#set('pending');
  }

  /** It is down; its next start will be that of another version. */
  renew(component: Component): void {
    const before = this.#state !== 'pending';
    this.#component = component;
    if (before) this.restarts++;
    this.reset();
  }

  skip(reason: string): void {
    this.#set('skipped', reason);
  }

  // ── what the supervisor asks for ──

  async sync({ cause, signal }: SyncContext): Promise<SyncResult | void> {
    if (this.#running) return;
    const first = !this.#everUp;
    const giveBack = await this.context.starts.take(signal);
    if (cause === 'restart') this.restarts++;
    this.#lines = [];
    this.#set(this.restarts > 0 ? 'restarting' : 'starting');
    try {
      const completed = await this.#bringUp(signal);
      this.#everUp = true;
      this.#notAgain = undefined;
      if (completed) return void this.#reportAfterSync(completed);
      const { healthCheck } = this.#component;
      this.#passed = healthCheck !== undefined;
      this.#set(this.#prober ? 'healthy' : 'running');
    } catch (error) {
      if (signal.aborted) throw error;
      await this.#clear(this.#component.stop.gracePeriod, signal);
      // A start that never worked will not work the next time either; one that did may.
      if (first) return { terminal: true, error };
      this.#notAgain = `could not be started again: ${(error as Error).message}`;
      this.#detail = this.#notAgain;
      this.context.onState(this, this.#state);
      throw error;
    } finally {
      giveBack();
    }
  }

  async terminate({ gracePeriod, signal, id }: TerminatingContext): Promise<void> {
    const reason = this.context.supervisor.getProcessStatus(id)?.endReason;
    if (this.#running && (reason === 'terminate' || reason === 'shutdown')) this.#set('stopping');
    // Whoever kills says 0; any other time is the component's own.
    await this.#clear(gracePeriod === 0 ? 0 : this.#component.stop.gracePeriod, signal);
  }

  /** Hears from the supervisor that this life is over. */
  finished(reason: EndReason, error: Error | undefined): void {
    this.#living = false;
    if (this.#again) return this.#set('restarting');
    if (reason === 'completed' || reason === 'terminal') return this.#set('completed');
    if (reason === 'terminate' || reason === 'shutdown' || reason === 'not-desired') return this.#set('stopped');
    const why = (error?.message ?? (this.#lastExit ? describe(this.#lastExit) : 'for an unknown reason')).replace(`${this.id} `, '').replace(`${this.id}: `, '');
    const what = this.#notAgain ?? (this.#everUp ? why : `failed to start: ${why}`);
    this.#error = new ComponentFailedError(`component ${this.id} ${what}`, {
      component: this.id,
      exitCode: this.#lastExit?.code ?? null,
      signal: this.#lastExit?.signal ?? null,
      lastLines: [...this.#lines],
      cause: error,
    });
    this.#set('failed', what);
  }

  // ── one life ──

  /** Resolves with nothing when it is up, or with its exit when it was done at once. */
  async #bringUp(signal: AbortSignal): Promise<Exit | undefined> {
    const { orchestrator } = this.context;
    let prober: Prober | undefined;
    const running = await orchestrator.start({
      replica: this,
      env: this.context.env(this),
      signal,
      onLine: (line, stream) => {
        this.#lines.push(line);
        if (this.#lines.length > KEPT_LINES) this.#lines.shift();
        this.context.onLine(this, line, stream);
        prober?.line(line);
      },
    });
    this.#running = running;
    this.#startedAt = Date.now();
    this.#lastExit = undefined;
    signal.throwIfAborted();
    prober = proberFor(this.#component, running, { onChange: (status, last) => this.#judged(running, status, last.message) });
    // Lines that came before it was known what to listen for.
    for (const line of this.#lines) prober?.line(line);
    const exit = await this.#firstOf(running, prober?.start(signal) ?? settled(signal));
    if (!exit) {
      this.#prober = prober;
      this.#watchLife(running);
      void running.exited.then((how) => this.#died(running, how));
      return undefined;
    }
    prober?.stop();
    this.#lastExit = exit;
    await running.gone();
    if (this.#success(exit) && !prober) return exit;
    throw new Error(`${describe(exit)}${prober ? ' before its health check passed' : ''}`);
  }

  async #firstOf(running: Running, ready: Promise<void>): Promise<Exit | undefined> {
    ready.catch(() => {});
    return Promise.race([ready.then(() => undefined), running.exited]);
  }

  #reportAfterSync(exit: Exit): void {
    this.#running = undefined;
    // The supervisor judges deaths of what is up; this sync has yet to say that it was.
    setImmediate(() => this.#report(exit));
  }

  #judged(running: Running, status: string, message: string): void {
    if (this.#running !== running || this.#prober === undefined || !UP.includes(this.#state) || this.#liveness?.status === 'unhealthy') return;
    if (status === 'healthy') return this.#set('healthy');
    this.#set('unhealthy', message);
    if (this.#component.healthCheck?.onUnhealthy !== 'report') this.#endIll(running);
  }

  #watchLife(running: Running): void {
    const dead = (message: string) => {
      if (this.#running !== running || !UP.includes(this.#state)) return;
      this.#set('unhealthy', `its liveness check failed: ${message}`);
      this.#endIll(running);
    };
    this.#liveness = livenessProberFor(this.#component, running, {
      onChange: (status, last) => {
        if (status === 'unhealthy') dead(last.message);
        // Only where nobody may start it again.
        else if (this.#running === running && this.#state === 'unhealthy' && this.#prober?.status !== 'unhealthy') this.#set(this.#prober ? 'healthy' : 'running');
      },
    });
    const liveness = this.#liveness;
    liveness?.start().catch((error: Error) => {
      if (this.#liveness !== liveness) return;
      dead(error.message);
      // Nobody has ended it: it may yet come alive.
      if (this.#liveness === liveness) this.#watchLife(running);
    });
  }

  /** Politely; its exit then counts as a crash. */
  #endIll(running: Running): void {
    if (this.#component.restart.condition === 'no') return;
    this.#stopLooking();
    void running.stop({ grace: this.#component.stop.gracePeriod, hurry: new AbortController().signal });
  }

  #stopLooking(): void {
    this.#prober?.stop();
    const liveness = this.#liveness;
    this.#liveness = undefined;
    liveness?.stop();
  }

  async #died(running: Running, exit: Exit): Promise<void> {
    if (this.#running !== running || this.#state === 'stopping') return;
    const ill = this.#state === 'unhealthy';
    this.#stopLooking();
    this.#prober = undefined;
    this.#lastExit = ill ? { ...exit, reason: `unhealthy: ${this.#detail ?? ''}` } : exit;
    this.#death = running.gone();
    await this.#death;
    if (this.#running !== running) return;
    this.#running = undefined;
    this.#report(this.#lastExit);
  }

  #report(exit: Exit): void {
    const { supervisor } = this.context;
    const clean = exit.reason === undefined && this.#success(exit);
    // `max_restarts` bounds those in a row, too, however long the waits between them are.
    if (!supervisor.notifyExit(this.id, { clean, start: true, ...(clean ? {} : { error: new Error(describe(exit)) }) })) return;
    const phase = supervisor.getProcessStatus(this.id)?.state;
    if (phase === 'Syncing') this.#set('restarting', describe(exit));
  }

  async #clear(grace: number, hurry: AbortSignal = new AbortController().signal): Promise<void> {
    this.#stopLooking();
    this.#prober = undefined;
    await this.#death;
    const running = this.#running;
    if (!running) return;
    await running.stop({ grace, hurry });
    this.#running = undefined;
  }

  #success(exit: Exit): boolean {
    return exit.code !== null && this.#component.successExitCodes.includes(exit.code);
  }

  #set(state: ComponentState, detail?: string): void {
    const from = this.#state;
    this.#detail = detail;
    if (from === state) return;
    this.#state = state;
    this.context.onState(this, from);
  }
}

/** Resolves after a while; rejects when `signal` aborts. */
function settled(signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, SETTLING);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    }, { once: true });
  });
}

const describe = ({ code, signal, reason }: Exit): string => `${signal ? `was ended by ${signal}` : code === null ? 'was lost' : `exited with code ${code}`}${reason ? ` (${reason})` : ''}`;

/** `max_restarts` means what it says: the breaker of the supervisor does not come before it. */
function policyOf({ condition, maxRestarts, window, backoff }: Restart): RestartPolicyOptions {
  const type = condition === 'no' ? 'temporary' : condition === 'on-failure' ? 'transient' : 'permanent';
  return { type, maxRestarts, window, backoff, maxFailures: maxRestarts + 1 };
}
