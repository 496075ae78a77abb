// One launched pattern under one id, through all its incarnations: the unit that the launcher's supervisor keeps alive.
// Invariant: whoever waits for it is answered, whatever becomes of it.
import type { SyncContext, SyncResult, TerminatingContext } from '../supervisor/syncer.js';
import { LauncherError, toLauncherError } from './errors.js';
import type { LaunchKey } from './ids.js';
import { Incarnation, type Adopting, type PortPair } from './incarnation.js';
import type { LaunchedContext } from './launched-context.js';
import type { Manifest } from './manifest.js';
import type { Running } from './running.js';

/** The number of failures in a row that ends it. */
export const MAX_ERRORS = 5;
/** An ill process gets this long to end by itself, ms. */
const ILL_GRACE_MS = 1_000;

export class LaunchedProcess {
  #manifest: Manifest;
  #incarnation: Incarnation | undefined;
  #ports: PortPair | undefined;
  #upSince: number | undefined;
  #errors = 0;
  #lastError: LauncherError | undefined;
  #waiters: { resolve: () => void; reject: (error: Error) => void }[] = [];
  #everUp = false;
  #begun = false;
  /** Its first start has failed for good. */
  #stillborn = false;
  /** Nothing of it runs any more, and nothing will. */
  ended = false;
  /** Given up after too many failures. */
  exhausted = false;

  constructor(
    readonly id: string,
    readonly key: LaunchKey,
    manifest: Manifest,
    readonly config: Readonly<Record<string, string>>,
    readonly gracePeriod: number | undefined,
    private readonly context: LaunchedContext,
    private adopting?: Adopting,
  ) {
    this.#manifest = manifest;
  }

  get manifest(): Manifest {
    return this.#manifest;
  }
  get pid(): number | undefined {
    return this.running?.pid;
  }
  get running(): Running | undefined {
    return this.#incarnation?.running;
  }
  /** Between two incarnations those of the last one, which the next one wishes for. */
  get ports(): PortPair | undefined {
    return this.#incarnation?.ports ?? this.#ports;
  }
  /** Up, and its health check says well. */
  get up(): boolean {
    return this.#upSince !== undefined;
  }
  get healthy(): boolean {
    return this.up && !this.#incarnation?.ill;
  }
  get upSince(): number | undefined {
    return this.#upSince;
  }
  /** Failures in a row; forgiven when it has been up for long enough. */
  get errors(): number {
    return this.#stable ? 0 : this.#errors;
  }
  get lastError(): LauncherError | undefined {
    return this.#lastError;
  }

  /** It was asked for while a predecessor under its id still ended, or just now: the supervisor has not begun with it. */
  get awaited(): boolean {
    return !this.#begun && !this.ended;
  }

  /** Resolves when it is up; rejects with the cause when the present attempt fails, or when it is ended. */
  whenUp(): Promise<void> {
    if (this.up) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  // ── what the supervisor asks for ──

  async sync({ cause, signal, generation }: SyncContext, resyncInterval: number): Promise<SyncResult | void> {
    this.#begun = true;
    if (this.#incarnation) return this.#incarnation.look(resyncInterval);
    const giveBack = await this.context.starts.take(signal);
    try {
      return await this.#bringUp(cause, signal, generation);
    } finally {
      giveBack();
    }
  }

  async #bringUp(cause: SyncContext['cause'], signal: AbortSignal, generation: number): Promise<SyncResult | void> {
    const first = !this.#everUp && this.#errors === 0;
    if (cause === 'restart') this.context.onRestart(this);
    const asked = this.context.clock.now();
    this.#manifest = this.context.manifest(this.key.pattern) ?? this.#manifest;
    const incarnation = (this.#incarnation = new Incarnation(this.context, this, this.#manifest, this.adopting));
    this.adopting = undefined;
    try {
      await incarnation.start(this.#ports, signal);
      await incarnation.becomeHealthy(signal, (error) => void this.#lost(incarnation, generation, error, ILL_GRACE_MS));
    } catch (thrown) {
      const error = signal.aborted ? this.#calledOff() : toLauncherError(thrown);
      const ill = error.code === 'HEALTH_CHECK_FAILED';
      await this.#end(incarnation, { grace: ill ? ILL_GRACE_MS : 0, hurry: signal });
      // Its termination, which has called it off, answers those who wait.
      if (signal.aborted) throw error;
      this.#failed(error);
      if (ill) this.context.log(`Process ${this.id} is unhealthy (errors: ${this.#errors})`);
      // What never ran will not run the next time either, and its caller is told when nothing of it is left. An ill one may become well.
      this.#stillborn = first && !ill;
      if (this.#stillborn) return { terminal: true, error };
      this.#settle(error);
      throw error;
    }
    this.#everUp = true;
    this.#upSince = this.context.clock.now();
    this.context.onStart(this, this.#upSince - asked);
    void incarnation.exited!.then((error) => this.#lost(incarnation, generation, error, 0));
    this.#settle();
  }

  async terminate({ gracePeriod, signal }: TerminatingContext): Promise<void> {
    const incarnation = this.#incarnation;
    if (incarnation) await this.#end(incarnation, { grace: gracePeriod, hurry: signal });
    this.ended = true;
    if (incarnation) this.context.onStop(this);
    // Before its callers hear of it: they may ask again at once.
    if (this.#stillborn) this.context.forget(this);
    this.#settle(this.#stillborn || this.#errors >= MAX_ERRORS ? this.#lastError : this.#calledOff());
  }

  /** It was called off before the supervisor had begun with it. */
  callOff(): void {
    if (!this.awaited) return;
    this.ended = true;
    this.#settle(this.#calledOff());
  }

  /** The supervisor has given it up. */
  exhaust(): void {
    this.exhausted = true;
    const cause = this.#lastError;
    this.#lastError = new LauncherError('MAX_ERRORS_EXCEEDED', `process exceeded max consecutive errors: ${MAX_ERRORS}${cause ? `; last: ${cause.message}` : ''}`, { context: { process: this.id, pattern: this.key.pattern, errors: this.#errors }, cause });
    this.context.log(`Process ${this.id} has exceeded max errors (${MAX_ERRORS}), marking as terminal`);
  }

  // ── inside ──

  /** One that was up has died, or its health check has failed too often: it is ended, and the restart policy decides. */
  async #lost(incarnation: Incarnation, generation: number, error: LauncherError, grace: number): Promise<void> {
    if (this.#incarnation !== incarnation || !this.up) return;
    this.#failed(error);
    if (error.code === 'HEALTH_CHECK_FAILED') this.context.log(`Process ${this.id} is unhealthy (errors: ${this.#errors})`);
    else if (this.#errors < MAX_ERRORS) this.context.log(`Process ${this.id} is dead, will restart`);
    await this.#end(incarnation, { grace });
    // Whoever ended it meanwhile may have begun another life under this id.
    if (!this.ended) this.context.died(this, generation, error);
  }

  #failed(error: LauncherError): void {
    if (this.#stable) this.#errors = 0;
    this.#errors++;
    this.#lastError = error;
    this.#upSince = undefined;
    this.context.onFailure(this);
  }

  get #stable(): boolean {
    return this.#upSince !== undefined && this.context.clock.now() - this.#upSince >= this.context.stableAfter;
  }

  async #end(incarnation: Incarnation, request: { grace: number; hurry?: AbortSignal | undefined }): Promise<void> {
    this.#upSince = undefined;
    this.#ports = incarnation.ports ?? this.#ports;
    await incarnation.end(request);
    if (this.#incarnation === incarnation) this.#incarnation = undefined;
  }

  #calledOff(): LauncherError {
    if (this.context.shuttingDown()) return new LauncherError('SHUTTING_DOWN', `process ${this.id} was terminated: the launcher is shutting down`, { context: { process: this.id } });
    return new LauncherError('LAUNCH_CANCELLED', `process ${this.id} was terminated before it was up`, { context: { process: this.id }, cause: this.#lastError });
  }

  #settle(error?: Error): void {
    for (const { resolve, reject } of this.#waiters.splice(0)) if (error) reject(error);
    else resolve();
  }
}
