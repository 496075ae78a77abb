// One life of a launched process: its ports, mark, limits and record, and what runs.
// Invariant: all of that is given back when nothing of it is left, once, and only by whom it was given to.
import { existsSync } from 'node:fs';
import { Prober } from '../runtime/prober.js';
import { resolveProbeOptions, type Check, type CheckResult, type ProbeTimes } from '../runtime/probes.js';
import { Cgroup, cgroupName, removeLeftCgroup } from '../runtime/cgroups.js';
import { LauncherError } from './errors.js';
import { strangerAt } from '../runtime/listeners.js';
import { unmistaken } from '../runtime/unmistaken.js';
import { identityOf } from '../runtime/identity.js';
import type { LaunchKey } from './ids.js';
import type { LaunchedContext } from './launched-context.js';
import type { Manifest } from './manifest.js';
import { LAUNCH_MARK } from './orphans.js';
import { checkVariables } from './request-variables.js';
import type { Running, StopRequest } from './running.js';
import type { ProcessRecord } from './state-folder.js';

/** What has no health check and lives so long counts as up, ms. */
const SETTLE_MS = 100;
/** Pacing for a Mimas process, which brings its own health checks. */
const OWN_HEALTH: ProbeTimes = resolveProbeOptions({ interval: '30s' });

export interface Subject {
  readonly id: string;
  readonly key: LaunchKey;
  readonly config: Readonly<Record<string, string>>;
}

export interface Adopting {
  readonly record: ProcessRecord;
  readonly running: Running;
}

export interface PortPair {
  readonly grpc: number;
  readonly health: number;
}

export class Incarnation {
  readonly launch: string;
  /** How it ended, as an error. Never rejects. Undefined until it runs. */
  exited: Promise<LauncherError> | undefined;
  #ports: PortPair | undefined;
  #held: number[] = [];
  #cgroup: Cgroup | undefined;
  #running: Running | undefined;
  #prober: Prober | undefined;
  #startedAt = Date.now();

  constructor(private readonly context: LaunchedContext, private readonly subject: Subject, readonly manifest: Manifest, private readonly adopting?: Adopting) {
    this.launch = adopting?.record.launch ?? context.nextLaunch();
  }

  get running(): Running | undefined {
    return this.#running;
  }
  get ports(): PortPair | undefined {
    return this.#ports;
  }
  get ill(): boolean {
    return this.#prober?.status === 'unhealthy';
  }

  /** Starts it, on the ports of `wish` where they are free: clients find it where it was. On failure, `end` it. @throws LauncherError */
  async start(wish: PortPair | undefined, signal: AbortSignal): Promise<void> {
    const { context, adopting, launch } = this;
    context.marks.add(launch);
    if (adopting) {
      const { grpcPort, healthPort, startedAt } = adopting.record;
      this.#ports = { grpc: grpcPort, health: healthPort };
      this.#held = context.ports.adopt([grpcPort, healthPort]);
      this.#startedAt = startedAt;
      this.#running = adopting.running;
    } else {
      const take = async (preferred?: number) => {
        const port = await context.ports.take(preferred);
        this.#held.push(port);
        return port;
      };
      const grpc = await take(wish?.grpc);
      this.#ports = { grpc, health: await take(wish?.health ?? this.manifest.healthcheck?.port) };
      signal.throwIfAborted();
      this.#running = await this.#spawn(signal);
    }
    const running = this.#running;
    this.exited = running.exited.then((how) => this.#error('PROCESS_CRASHED', `process ${this.subject.id} died: ${how}${this.#cgroup?.outOfMemory ? ' (it went over its memory limit)' : ''}`));
    this.#record();
    context.log(`${adopting ? 'Adopted' : 'Launched'} process: pattern=${this.subject.key.pattern}, pid=${running.pid ?? 0}`);
  }

  /** Resolves when it is well for the first time; from then on `onIll` hears when it is no longer. @throws LauncherError HEALTH_CHECK_FAILED, PROCESS_CRASHED */
  async becomeHealthy(signal: AbortSignal, onIll: (error: LauncherError) => void): Promise<void> {
    const running = this.#running!;
    const death = this.exited!;
    try {
      await Promise.race([this.#watch(running, signal, onIll), death.then((error) => Promise.reject(error))]);
      if (!running.alive) throw await death;
    } catch (error) {
      this.#prober?.stop();
      throw error;
    }
  }

  /** One look besides those of its health check, where those are rarer than `interval`, ms. */
  look(interval: number): void {
    this.#prober?.lookNow(interval);
  }

  /** Ends what runs, and gives back what it had. Who calls it twice waits for the same end. */
  async end(request: StopRequest): Promise<void> {
    this.#prober?.stop();
    await this.#running?.stop(request);
    await this.#prober?.ended();
    const { context, launch } = this;
    if (this.#cgroup) this.#cgroup.remove();
    else if (this.adopting) removeLeftCgroup(launch, context.cgroups());
    context.state?.remove(launch);
    context.ports.release(this.#held.splice(0));
    context.marks.delete(launch);
  }

  async #spawn(signal: AbortSignal): Promise<Running> {
    const { context, manifest, subject: { id, config } } = this;
    // The manifest may have changed since it was asked for.
    checkVariables(config, manifest);
    const resources = context.resources(manifest);
    this.#cgroup = this.#limit();
    let running: Running;
    try {
      running = await context.start({
        id,
        manifest,
        cgroup: this.#cgroup,
        startupTimeout: (manifest.healthcheck?.times ?? OWN_HEALTH).startupTimeout,
        memoryLimit: resources?.memoryLimit,
        outputFile: context.survive && manifest.executable ? context.state?.logFile(id) : undefined,
        onLine: (line, stream) => context.output(id, line, stream),
        env: { ...this.#environment(), [LAUNCH_MARK]: this.launch },
        signal,
      });
    } catch (error) {
      signal.throwIfAborted();
      throw new LauncherError('PROCESS_START_FAILED', `${(error as Error).message}${hint(error, manifest.executable)}`, { context: this.#facts(), cause: error });
    }
    // An executable has entered by itself, before it began.
    if (this.#cgroup && manifest.process !== undefined && running.pid !== undefined) {
      try {
        this.#cgroup.enter(running.pid);
      } catch (error) {
        if (resources?.enforce === 'strict') await running.stop({ grace: 0 });
        this.#refuseLimits((error as Error).message, error);
      }
    }
    return running;
  }

  #environment(): Record<string, string | undefined> {
    const { key, config, id } = this.subject;
    return {
      ...this.manifest.environment,
      ...config,
      PATTERN_NAME: key.pattern,
      NAMESPACE: key.namespace ?? '',
      SESSION_ID: key.session ?? '',
      GRPC_PORT: String(this.#ports!.grpc),
      HEALTH_PORT: String(this.#ports!.health),
      PROCESS_ID: id,
    };
  }

  #limit(): Cgroup | undefined {
    const resources = this.context.resources(this.manifest);
    if (!resources) return undefined;
    const support = this.context.cgroups();
    const gaps = Cgroup.gaps(resources, support);
    if (gaps.length > 0) this.#refuseLimits(`${gaps.join(', ')}: ${support.missing.join('; ')}`);
    try {
      return new Cgroup(cgroupName(this.launch), resources, support);
    } catch (error) {
      this.#refuseLimits((error as Error).message, error);
      return undefined;
    }
  }

  /** An error or a warning, as the manifest wants it. */
  #refuseLimits(why: string, cause?: unknown): void {
    const message = `resource limits of ${this.subject.id} cannot be enforced: ${why}`;
    if (this.context.resources(this.manifest)?.enforce === 'strict') throw new LauncherError('RESOURCE_LIMITS_UNAVAILABLE', message, { context: this.#facts(), cause });
    this.context.log(`WARNING: ${message}`);
  }

  async #watch(running: Running, signal: AbortSignal, onIll: (error: LauncherError) => void): Promise<void> {
    const check = this.#check(running);
    // Without a health check, to run is to be well; one that cannot run at all has ended by then.
    if (!check) return this.#settleDown(signal);
    this.#prober = new Prober({
      check,
      clock: this.context.clock,
      times: running.look ? OWN_HEALTH : this.manifest.healthcheck!.times,
      look: running.look ? (_check: Check, timeout: number): Promise<CheckResult> => running.look!(timeout) : unmistaken((port) => (running.pid === undefined ? undefined : strangerAt(port, running.pid))),
      // What is not up yet cannot fail.
      onResult: ({ ok }, status) => void ((ok || status !== 'starting') && this.context.onHealthCheck(this.subject.key.pattern, ok)),
      onChange: (status, last) => void (status === 'unhealthy' && onIll(this.#error('HEALTH_CHECK_FAILED', `health check failed: ${last.message}`))),
    });
    try {
      await this.#prober.start(signal);
    } catch (error) {
      signal.throwIfAborted();
      throw this.#error('HEALTH_CHECK_FAILED', `health check failed: ${(error as Error).message}`, error);
    }
  }

  async #settleDown(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
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
    const spec = this.manifest.healthcheck;
    const port = this.#ports!.health;
    if (running.look) return { type: 'tcp', port };
    switch (spec?.type) {
      case 'http':
      case 'https':
        return { type: 'http', port, path: spec.path, status: 200, headers: spec.headers, tls: spec.tls };
      case 'tcp':
        return { type: 'tcp', port };
      case 'exec': {
        const [command, ...args] = spec.command;
        return { type: 'exec', command: command!, args, cwd: this.manifest.folder, env: this.#environment() };
      }
      case undefined:
        return undefined;
    }
  }

  #record(): void {
    const pid = this.#running!.pid;
    if (pid === undefined || !this.context.state) return;
    const { id, config, key: { pattern, level, namespace = '', session = '' } } = this.subject;
    const { grpc, health } = this.#ports!;
    this.context.state.put({ ...identityOf(pid), id, launch: this.launch, pattern, level, namespace, session, config, grpcPort: grpc, healthPort: health, startedAt: this.#startedAt });
  }

  #error(code: 'PROCESS_CRASHED' | 'HEALTH_CHECK_FAILED', what: string, cause?: unknown): LauncherError {
    const tail = this.#running?.stderrTail();
    return new LauncherError(code, `${what}${tail ? `\n${tail.replace(/^/gm, '    ')}` : ''}`, { context: this.#facts(), cause });
  }

  #facts() {
    return { process: this.subject.id, pattern: this.subject.key.pattern, pid: this.#running?.pid, healthPort: this.#ports?.health };
  }
}

/** What the system's word for it leaves out. */
function hint(error: unknown, file: string | undefined): string {
  const code = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOENT' && file !== undefined && existsSync(file)) return ' (the file is there; the interpreter in its first line is not)';
  return '';
}
