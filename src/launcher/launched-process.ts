// One launched pattern under one id, through all its incarnations: the unit that the launcher's supervisor keeps alive.
// Invariant: ports, records, limits and group of an incarnation are given back when nothing of it is left.
import { createHash } from 'node:crypto';
import type { Clock } from '../supervisor/clock.js';
import type { SyncContext, SyncResult, TerminatingContext } from '../supervisor/syncer.js';
import { Prober } from '../runtime/prober.js';
import type { Check, CheckResult, ProbeTimes } from '../runtime/probes.js';
import { resolveProbeOptions } from '../runtime/probes.js';
import { Cgroup, cgroupName, removeLeftCgroup, type CgroupSupport } from '../runtime/cgroups.js';
import { LauncherError, toLauncherError } from './errors.js';
import { identityOf } from './identity.js';
import type { LaunchKey } from './ids.js';
import type { Manifest, Resources } from './manifest.js';
import { LAUNCH_MARK } from './orphans.js';
import type { Ports } from './ports.js';
import type { Running, StartRequest } from './running.js';
import type { ProcessRecord, StateFolder } from './state-folder.js';

/** The number of failures in a row that ends it. */
export const MAX_ERRORS = 5;
/** What has no health check and lives so long counts as up, ms. */
const SETTLE_MS = 100;
/** An ill process gets this long to end by itself, ms. */
const ILL_GRACE_MS = 1_000;

export interface LaunchedContext {
  readonly clock: Clock;
  readonly ports: Ports;
  readonly state: StateFolder | undefined;
  readonly survive: boolean;
  readonly instance: string;
  /** Since when it must be up for earlier failures to be forgiven, ms. */
  readonly stableAfter: number;
  nextLaunch(): string;
  /** The manifest as it is now, for the next start. */
  manifest(name: string): Manifest | undefined;
  resources(manifest: Manifest): Resources | undefined;
  cgroups(): CgroupSupport;
  start(request: StartRequest): Promise<Running>;
  died(process: LaunchedProcess, error: LauncherError): void;
  log(line: string): void;
  output(process: LaunchedProcess, line: string, stream: 'stdout' | 'stderr'): void;
  onStart(process: LaunchedProcess, tookMs: number): void;
  onStop(process: LaunchedProcess): void;
  onFailure(process: LaunchedProcess): void;
  onRestart(process: LaunchedProcess): void;
  onHealthCheck(process: LaunchedProcess, ok: boolean): void;
}

/** Pacing for a Mimas process, which brings its own health checks. */
const OWN_HEALTH: ProbeTimes = resolveProbeOptions({ interval: '30s' });

export class LaunchedProcess {
  #manifest: Manifest;
  #running: Running | undefined;
  #prober: Prober | undefined;
  #cgroup: Cgroup | undefined;
  #launch = '';
  #grpcPort: number | undefined;
  #healthPort: number | undefined;
  #startedAt: number | undefined;
  #upSince: number | undefined;
  #errors = 0;
  #lastError: LauncherError | undefined;
  #waiters: { resolve: () => void; reject: (error: Error) => void }[] = [];
  #everUp = false;
  #begun = false;
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
    private adopting?: { record: ProcessRecord; running: Running },
  ) {
    this.#manifest = manifest;
  }

  get manifest(): Manifest {
    return this.#manifest;
  }
  get pid(): number | undefined {
    return this.#running?.pid;
  }
  get running(): Running | undefined {
    return this.#running;
  }
  get grpcPort(): number | undefined {
    return this.#grpcPort;
  }
  get healthPort(): number | undefined {
    return this.#healthPort;
  }
  get address(): string {
    return this.#grpcPort === undefined ? '' : `localhost:${this.#grpcPort}`;
  }
  /** Up, and its health check says well. */
  get up(): boolean {
    return this.#upSince !== undefined;
  }
  get healthy(): boolean {
    return this.up && this.#prober?.status !== 'unhealthy';
  }
  get upSince(): number | undefined {
    return this.#upSince;
  }
  /** Failures in a row. */
  get errors(): number {
    return this.#errors;
  }
  get lastError(): LauncherError | undefined {
    return this.#lastError;
  }
  get launchMark(): string {
    return this.#launch;
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

  async sync({ cause, signal }: SyncContext): Promise<SyncResult | void> {
    this.#begun = true;
    if (this.#running) return;
    const first = !this.#everUp && this.#errors === 0;
    if (cause === 'restart') this.context.onRestart(this);
    const asked = this.context.clock.now();
    try {
      await this.#start(signal);
    } catch (thrown) {
      const error = toLauncherError(thrown);
      await this.#end({ grace: error.code === 'HEALTH_CHECK_FAILED' ? ILL_GRACE_MS : 0, hurry: signal });
      if (!signal.aborted) {
        this.#failed(error);
        if (error.code === 'HEALTH_CHECK_FAILED') this.context.log(`Process ${this.id} is unhealthy (errors: ${this.#errors})`);
      }
      this.#settle(error);
      // What never ran will not run the next time either, and its caller has just been told. An ill one may become well.
      if (first && error.code !== 'HEALTH_CHECK_FAILED') return { terminal: true, error };
      throw error;
    }
    this.#everUp = true;
    this.#upSince = this.context.clock.now();
    this.context.onStart(this, this.#upSince - asked);
    this.#settle();
  }

  async terminate({ gracePeriod, signal }: TerminatingContext): Promise<void> {
    const ran = this.#running !== undefined;
    await this.#end({ grace: gracePeriod, hurry: signal });
    this.ended = true;
    if (ran) this.context.onStop(this);
    this.#settle(this.#lastError ?? new LauncherError('PROCESS_NOT_FOUND', `process ${this.id} was terminated`, { context: { process: this.id } }));
  }

  /** It was called off before the supervisor had begun with it. */
  callOff(): void {
    if (!this.awaited) return;
    this.ended = true;
    this.#settle(new LauncherError('PROCESS_NOT_FOUND', `process ${this.id} was terminated before it started`, { context: { process: this.id } }));
  }

  /** The supervisor has given it up. */
  exhaust(): void {
    this.exhausted = true;
    const cause = this.#lastError;
    this.#lastError = new LauncherError('MAX_ERRORS_EXCEEDED', `process exceeded max consecutive errors: ${MAX_ERRORS}${cause ? `; last: ${cause.message}` : ''}`, { context: { process: this.id, pattern: this.key.pattern, errors: this.#errors }, cause });
    this.context.log(`Process ${this.id} has exceeded max errors (${MAX_ERRORS}), marking as terminal`);
  }

  // ── one incarnation ──

  async #start(signal: AbortSignal): Promise<void> {
    const { context, adopting } = this;
    const { ports } = context;
    this.#manifest = context.manifest(this.key.pattern) ?? this.#manifest;
    this.adopting = undefined;
    let running: Running;
    if (adopting) {
      ({ grpcPort: this.#grpcPort, healthPort: this.#healthPort, launch: this.#launch } = adopting.record);
      ports.adopt([adopting.record.grpcPort, adopting.record.healthPort]);
      running = adopting.running;
    } else {
      // The same ports again where they are free: clients find it where it was.
      this.#grpcPort = await ports.take(this.#grpcPort);
      this.#healthPort = await ports.take(this.#healthPort ?? this.#manifest.healthcheck?.port);
      signal.throwIfAborted();
      this.#launch = context.nextLaunch();
      running = await this.#spawn();
    }
    this.#running = running;
    this.#startedAt = adopting?.record.startedAt ?? Date.now();
    this.#record();
    context.log(`${adopting ? 'Adopted' : 'Launched'} process: pattern=${this.key.pattern}, pid=${running.pid ?? 0}`);
    let up = false;
    const death = running.exited.then((how) => {
      const tail = running.stderrTail();
      const error = new LauncherError('PROCESS_CRASHED', `process ${this.id} died: ${how}${tail ? `\n${tail.replace(/^/gm, '    ')}` : ''}`, { context: { process: this.id, pattern: this.key.pattern, pid: running.pid } });
      if (up) void this.#died(running, error);
      return error;
    });
    try {
      await Promise.race([this.#becomeHealthy(running, signal), death.then((error) => Promise.reject(error))]);
      if (!running.alive) throw await death;
      up = true;
    } finally {
      if (!up) this.#prober?.stop();
    }
  }

  async #spawn(): Promise<Running> {
    const { context, key } = this;
    const manifest = this.#manifest;
    this.#cgroup = this.#limit(manifest);
    const healthTimes = manifest.healthcheck?.times ?? OWN_HEALTH;
    try {
      return await context.start({
        id: this.id,
        manifest,
        cgroup: this.#cgroup,
        startupTimeout: healthTimes.startupTimeout,
        outputFile: context.survive && context.state && manifest.executable ? `${context.state.logs}/${fileName(this.id)}.log` : undefined,
        onLine: (line, stream) => context.output(this, line, stream),
        env: {
          ...manifest.environment,
          ...this.config,
          PATTERN_NAME: key.pattern,
          NAMESPACE: key.namespace ?? '',
          SESSION_ID: key.session ?? '',
          GRPC_PORT: String(this.#grpcPort),
          HEALTH_PORT: String(this.#healthPort),
          PROCESS_ID: this.id,
          [LAUNCH_MARK]: this.#launch,
        },
      });
    } catch (error) {
      throw new LauncherError('PROCESS_START_FAILED', (error as Error).message, { context: { process: this.id, pattern: key.pattern }, cause: error });
    }
  }

  #limit(manifest: Manifest): Cgroup | undefined {
    const resources = this.context.resources(manifest);
    if (!resources) return undefined;
    const support = this.context.cgroups();
    const gaps = Cgroup.gaps(resources, support);
    const refuse = (why: string, cause?: unknown): undefined => {
      const message = `resource limits of ${this.id} cannot be enforced: ${why}`;
      if (resources.enforce === 'strict') throw new LauncherError('RESOURCE_LIMITS_UNAVAILABLE', message, { context: { process: this.id }, cause });
      this.context.log(`WARNING: ${message}`);
    };
    if (gaps.length > 0) refuse(`${gaps.join(', ')}: ${support.missing.join('; ')}`);
    try {
      return new Cgroup(cgroupName(this.#launch), resources, support);
    } catch (error) {
      return refuse((error as Error).message, error);
    }
  }

  async #becomeHealthy(running: Running, signal: AbortSignal): Promise<void> {
    const check = this.#check(running);
    // Without a health check, to run is to be well; one that cannot run at all has ended by then.
    if (!check) return this.#settleDown(signal);
    const prober = (this.#prober = new Prober({
      check,
      clock: this.context.clock,
      times: running.look ? OWN_HEALTH : this.#manifest.healthcheck!.times,
      ...(running.look && { look: (_check: Check, timeout: number): Promise<CheckResult> => running.look!(timeout) }),
      onResult: ({ ok }) => this.context.onHealthCheck(this, ok),
      onChange: (status, last) => void (status === 'unhealthy' && this.#ill(running, last)),
    }));
    try {
      await prober.start(signal);
    } catch (error) {
      if (signal.aborted) throw error;
      const tail = running.stderrTail();
      throw new LauncherError('HEALTH_CHECK_FAILED', `health check failed: ${(error as Error).message}${tail ? `\n${tail.replace(/^/gm, '    ')}` : ''}`, { context: { process: this.id, pattern: this.key.pattern, healthPort: this.#healthPort }, cause: error });
    }
  }

  #settleDown(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.context.clock.setTimeout(resolve, SETTLE_MS);
      const onAbort = () => {
        this.context.clock.clearTimeout(timer);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #check(running: Running): Check | undefined {
    const spec = this.#manifest.healthcheck;
    const port = this.#healthPort!;
    if (running.look) return { type: 'tcp', port };
    switch (spec?.type) {
      case 'http':
        return { type: 'http', port, path: spec.path, status: 200 };
      case 'tcp':
        return { type: 'tcp', port };
      case 'exec': {
        const { manifest, key } = this;
        const [command, ...args] = spec.command;
        const env = { ...manifest.environment, ...this.config, PATTERN_NAME: key.pattern, NAMESPACE: key.namespace ?? '', SESSION_ID: key.session ?? '', GRPC_PORT: String(this.#grpcPort), HEALTH_PORT: String(port), PROCESS_ID: this.id };
        return { type: 'exec', command: command!, args, cwd: manifest.folder, env };
      }
      case undefined:
        return undefined;
    }
  }

  /** Its health check has failed too often: it is ended, and the restart policy decides. */
  async #ill(running: Running, last: CheckResult): Promise<void> {
    if (this.#running !== running || !this.up) return;
    const error = new LauncherError('HEALTH_CHECK_FAILED', `health check failed: ${last.message}`, { context: { process: this.id, pattern: this.key.pattern, healthPort: this.#healthPort } });
    this.#failed(error);
    this.context.log(`Process ${this.id} is unhealthy (errors: ${this.#errors})`);
    await this.#end({ grace: ILL_GRACE_MS });
    this.context.died(this, error);
  }

  async #died(running: Running, error: LauncherError): Promise<void> {
    if (this.#running !== running || !this.up) return;
    this.#failed(error);
    if (this.#errors < MAX_ERRORS) this.context.log(`Process ${this.id} is dead, will restart`);
    await this.#end({ grace: 0 });
    this.context.died(this, error);
  }

  #failed(error: LauncherError): void {
    const { clock, stableAfter } = this.context;
    if (this.#upSince !== undefined && clock.now() - this.#upSince >= stableAfter) this.#errors = 0;
    this.#errors++;
    this.#lastError = error;
    this.#upSince = undefined;
    this.context.onFailure(this);
  }

  /** Ends what runs, and gives back what it had. */
  async #end(request: { grace: number; hurry?: AbortSignal | undefined }): Promise<void> {
    this.#upSince = undefined;
    this.#prober?.stop();
    this.#prober = undefined;
    const running = this.#running;
    if (running) await running.stop(request);
    if (this.#running !== running) return;
    this.#running = undefined;
    if (this.#cgroup) this.#cgroup.remove();
    else if (this.#launch && this.context.resources(this.#manifest)) removeLeftCgroup(this.#launch, this.context.cgroups());
    this.#cgroup = undefined;
    if (this.#launch) this.context.state?.remove(this.#launch);
    // The numbers are kept as a wish for the next start.
    const ports = [this.#grpcPort, this.#healthPort].filter((port) => port !== undefined);
    this.context.ports.release(...ports);
  }

  #record(): void {
    const { pid } = this.#running!;
    if (pid === undefined || !this.context.state) return;
    const { pattern, level, namespace = '', session = '' } = this.key;
    this.context.state.put({
      ...identityOf(pid),
      id: this.id,
      launch: this.#launch,
      pattern, level, namespace, session,
      config: this.config,
      grpcPort: this.#grpcPort!,
      healthPort: this.#healthPort!,
      startedAt: this.#startedAt!,
    });
  }

  #settle(error?: Error): void {
    for (const { resolve, reject } of this.#waiters.splice(0)) if (error) reject(error);
    else resolve();
  }
}

/** An id as the name of a file; no two ids share one. */
function fileName(id: string): string {
  const name = encodeURIComponent(id);
  return name.length <= 200 ? name : createHash('sha256').update(id).digest('hex');
}
