// One pipeline from start to end: components come up in the order of the plan, each when what it needs is there, and go down
// in reverse. All of them are units of one supervisor. No data passes through here.
// Invariant: when `done` resolves, nothing that this object started is left.
import { join } from 'node:path';
import { ComponentFailedError, PipelineInvalidError, UnitNotFoundError, closest } from '../errors.js';
import { Emitter } from '../supervisor/emitter.js';
import { Supervisor } from '../supervisor/supervisor.js';
import { verdict } from './conditions.js';
import type { ControlPlane } from './control-plane.js';
import { environmentFor, type ControlPlaneAddress } from './environment.js';
import type { PipelineEvents, PipelinePhase, PipelineStatus } from './events.js';
import { LogFile } from './log-file.js';
import type { Component, Condition, PipelineSpec } from './model.js';
import type { Orchestrator } from './orchestrator.js';
import { plan, type Plan } from './plan.js';
import { statusOf } from './replica-status.js';
import { ComponentUnit, type UnitContext } from './unit.js';
import { Watcher } from './watcher.js';

export interface RunnerOptions {
  readonly orchestrator: Orchestrator;
  /** Where component logs go; undefined: nowhere. */
  readonly logDir?: string | undefined;
  readonly controlPlane?: ControlPlane | undefined;
  /** Told to components. Default `10s`. */
  readonly heartbeatInterval?: string | undefined;
}

export interface Outcome {
  /** 0: ended as asked, or all components completed; 1: a component failed. */
  readonly exitCode: number;
  readonly failure: ComponentFailedError | undefined;
}

export class PipelineRunner {
  readonly events = new Emitter<PipelineEvents>();
  /** Resolves when all is over. */
  readonly done: Promise<Outcome>;
  readonly startedAt = new Date();
  #spec: PipelineSpec;
  #plan: Plan;
  readonly #options: RunnerOptions;
  readonly #supervisor: Supervisor<ComponentUnit>;
  /** Replicas by component. */
  readonly #units = new Map<string, ComponentUnit[]>();
  readonly #logs = new Map<string, LogFile>();
  readonly #watcher = new Watcher((id) => void this.restart(id).catch(() => {}));
  readonly #abort = new AbortController();
  #address: ControlPlaneAddress;
  #phase: PipelinePhase = 'starting';
  #failure: ComponentFailedError | undefined;
  #stop: Promise<void> | undefined;
  #launching = 0;
  /** Settles, without rejecting, when the preparation is over: before that there is nothing to clear away. */
  #prepared: Promise<void> = Promise.resolve();
  #resolve!: (outcome: Outcome) => void;

  /** @throws PipelineInvalidError when a component cannot run in this orchestrator */
  constructor(spec: PipelineSpec, options: RunnerOptions) {
    this.#spec = spec;
    this.#plan = this.#planFor(spec, options.orchestrator);
    this.#options = options;
    this.#address = { endpoint: undefined, heartbeat: options.heartbeatInterval ?? '10s' };
    this.done = new Promise((resolve) => (this.#resolve = resolve));
    this.#supervisor = new Supervisor<ComponentUnit>({
      syncer: {
        syncProcess: (context, _type, unit) => unit.sync(context),
        syncTerminatingProcess: (context, unit) => unit.terminate(context),
        syncTerminatedProcess() {},
      },
      resyncInterval: Infinity,
    });
    this.#supervisor.on('finished', ({ id, reason, error }) => this.#unit(id)?.finished(reason, error));
  }

  get spec(): PipelineSpec {
    return this.#spec;
  }
  get phase(): PipelinePhase {
    return this.#phase;
  }
  get failure(): ComponentFailedError | undefined {
    return this.#failure;
  }
  get endpoint(): string | undefined {
    return this.#address.endpoint;
  }

  /** Resolves when all components are up (or completed, or skipped). @throws the failure, after everything that was started has been stopped */
  async start(): Promise<void> {
    this.#setPhase('starting');
    const prepared = this.#prepare(this.#spec).then(() => this.#startControlPlane());
    this.#prepared = prepared.catch(() => {});
    try {
      await prepared;
    } catch (error) {
      // Given up by whoever asked for the stop, or impossible.
      const asked = this.#stop !== undefined;
      await (this.#stop ??= this.#end());
      if (asked) return;
      throw error;
    }
    this.#launching++;
    for (const component of this.#spec.components) this.#adopt(component);
    await Promise.all(this.#spec.components.map((component) => this.#bringUp(component)));
    this.#launching--;
    if (this.#stop) {
      await this.#stop;
      if (this.#failure) throw this.#failure;
      return;
    }
    this.#setPhase('started');
    this.#endIfOver();
  }

  /** Dependents first, each with its grace; a second call changes nothing. Resolves when nothing is left. */
  stop(reason = 'stop'): Promise<void> {
    return (this.#stop ??= this.#stopAll(reason));
  }

  /** All at once, with SIGKILL. */
  async kill(): Promise<void> {
    const stopping = this.stop('kill');
    for (const unit of this.#all()) if (this.#supervisor.getProcessStatus(unit.id)) void this.#supervisor.updateProcess({ id: unit.id, updateType: 'terminate', terminateOptions: { gracePeriod: 0 } });
    await stopping;
  }

  /** Ends one component (or one replica) and leaves it down. Who waits for it is skipped. */
  async stopComponent(id: string): Promise<void> {
    await Promise.all(this.#find(id).map((unit) => unit.stop()));
    this.#endIfOver();
  }

  /** Ends and starts one component (or one replica), whatever became of it. */
  async restart(id: string): Promise<void> {
    await this.#launch(() => Promise.all(this.#find(id).map((unit) => unit.restart())));
  }

  /** Brings the number of replicas to `replicas`; the last ones go first. */
  async scale(id: string, replicas: number): Promise<void> {
    const component = this.#spec.components.find((one) => one.id === id) ?? this.#unknown(id);
    await this.#reshape({ ...this.#spec, components: this.#spec.components.map((one) => (one === component ? { ...one, replicas } : one)) });
  }

  /** Takes a new version of the pipeline and touches only what differs. Answers what was done. */
  async reload(spec: PipelineSpec): Promise<{ added: string[]; removed: string[]; changed: string[] }> {
    return this.#reshape(spec);
  }

  status(): PipelineStatus {
    const { name, file } = this.#spec;
    const { orchestrator, controlPlane, logDir } = this.#options;
    return {
      name,
      file,
      orchestrator: orchestrator.type,
      phase: this.#phase,
      pid: process.pid,
      endpoint: this.endpoint,
      startedAt: this.startedAt.toISOString(),
      logDir,
      components: this.#all().map((unit) => statusOf(unit, controlPlane?.registry.get(unit.id)?.status)),
    };
  }

  /** Where the log of a component (or a replica) is. */
  logFiles(id?: string): { id: string; path: string }[] {
    const units = id === undefined ? this.#all() : this.#find(id);
    return units.flatMap((unit) => (this.#logs.has(unit.id) ? [{ id: unit.id, path: this.#logs.get(unit.id)!.path }] : []));
  }

  async flushLogs(): Promise<void> {
    await Promise.all([...this.#logs.values()].map((log) => log.flush()));
  }

  // ── up ──

  async #bringUp(component: Component): Promise<void> {
    const reasons = await Promise.all(this.#plan.dependencies.get(component.id)!.map(({ id, condition }) => this.#until(id, condition, component.id)));
    const units = this.#units.get(component.id) ?? [];
    const reason = reasons.find((one) => one !== undefined) ?? (this.#stop ? 'the pipeline is being stopped' : undefined);
    if (reason !== undefined) {
      for (const unit of units) if (unit.state === 'pending') unit.skip(reason);
      return;
    }
    await Promise.all(units.filter((unit) => unit.state === 'pending').map((unit) => unit.start()));
    if (!this.#stop) this.#watcher.watch(component.id, component.watch);
  }

  /** Resolves when the condition is met, with nothing, or when it never will be, with the reason. Hears of changes; nothing is polled. */
  #until(id: string, condition: Condition, waiting: string): Promise<string | undefined> {
    return new Promise((resolve) => {
      const look = () => {
        const seen = verdict(condition, this.#units.get(id) ?? []);
        const given = this.#units.get(waiting)?.every((unit) => unit.state !== 'pending') ? 'it was stopped while it waited' : this.#stop ? 'the pipeline is being stopped' : undefined;
        if (seen === 'not yet' && given === undefined) return;
        off();
        this.#abort.signal.removeEventListener('abort', look);
        resolve(typeof seen === 'object' ? seen.never : seen === 'met' ? undefined : given);
      };
      const off = this.events.on('component', look);
      this.#abort.signal.addEventListener('abort', look, { once: true });
      look();
    });
  }

  #adopt(component: Component): void {
    const units = this.#units.get(component.id) ?? [];
    while (units.length < component.replicas) {
      const unit = new ComponentUnit(component, units.length, this.#context);
      units.push(unit);
      const { logDir } = this.#options;
      if (logDir !== undefined && !this.#logs.has(unit.id)) this.#logs.set(unit.id, new LogFile(join(logDir, `${unit.id}.log`), this.#spec.log));
    }
    this.#units.set(component.id, units);
  }

  readonly #context: UnitContext = (() => {
    const runner = this;
    return {
      get supervisor() { return runner.#supervisor; },
      get orchestrator() { return runner.#options.orchestrator; },
      env: (replica) => environmentFor(replica, this.#address, this.#spec.name, this.#options.orchestrator.type === 'container'),
      onState: (unit, from) => this.#onState(unit, from),
      onLine: (unit, line, stream) => {
        this.#logs.get(unit.id)?.write(line);
        this.events.emit('log', { id: unit.id, stream, line });
      },
    };
  })();

  #onState(unit: ComponentUnit, from: ComponentUnit['state']): void {
    const { id, state, detail, restarts, running } = unit;
    const first = from === 'starting' || (from === 'pending' && state === 'starting');
    this.events.emit('component', { id, component: unit.component.id, state, from, first, check: unit.passed, restarts, ...(running?.pid === undefined ? {} : { pid: running.pid }), ...(detail === undefined ? {} : { detail }) });
    if (state === 'failed' && this.#spec.onFailure === 'stop' && !this.#stop) {
      this.#failure ??= unit.error;
      void this.stop('failed').catch(() => {});
    } else if (state === 'failed') this.#failure ??= unit.error;
    if (unit.ended) this.#endIfOver();
  }

  #prepare(spec: PipelineSpec): Promise<void> {
    return this.#options.orchestrator.prepare(spec, { signal: this.#abort.signal, onProgress: (message) => this.events.emit('progress', { message }) });
  }

  async #startControlPlane(): Promise<void> {
    const { controlPlane, orchestrator } = this.#options;
    if (!controlPlane) return;
    const { listen, tell } = orchestrator.controlPlane();
    const port = await controlPlane.listen(listen);
    this.#address = { ...this.#address, endpoint: `http://${tell}:${port}` };
  }

  // ── change ──

  async #reshape(next: PipelineSpec): Promise<{ added: string[]; removed: string[]; changed: string[] }> {
    const nextPlan = this.#planFor(next, this.#options.orchestrator);
    const before = new Map(this.#spec.components.map((one) => [one.id, one]));
    const after = new Map(next.components.map((one) => [one.id, one]));
    const removed = [...before.keys()].filter((id) => !after.has(id));
    const added = [...after.keys()].filter((id) => !before.has(id));
    const changed = [...after.keys()].filter((id) => before.has(id) && !same(before.get(id)!, after.get(id)!));
    await this.#launch(async () => {
      await this.#prepare(next);
      const oldPlan = this.#plan;
      await this.#takeDown(oldPlan, (unit) => removed.includes(unit.component.id) || unit.index >= (after.get(unit.component.id)?.replicas ?? 0));
      for (const id of removed) await this.#forget(id, 0);
      for (const id of changed) await this.#forget(id, after.get(id)!.replicas);
      this.#spec = next;
      this.#plan = nextPlan;
      for (const component of next.components) this.#adopt(component);
      const renew = changed.filter((id) => !same({ ...before.get(id)!, replicas: 0 }, { ...after.get(id)!, replicas: 0 }));
      // What it was skipped or failed for may have gone: it is tried again, in its turn.
      for (const unit of this.#all()) if (!renew.includes(unit.component.id) && (unit.state === 'failed' || unit.state === 'skipped')) unit.reset();
      await Promise.all(renew.map((id) => Promise.all(this.#units.get(id)!.filter((unit) => unit.state !== 'pending').map((unit) => unit.restart(after.get(id)!)))));
      await Promise.all(next.components.filter(({ id }) => this.#units.get(id)!.some((unit) => unit.state === 'pending')).map((component) => this.#bringUp(component)));
      for (const id of renew) this.#watcher.watch(id, after.get(id)!.watch);
    });
    return { added, removed, changed };
  }

  /** Drops replicas from number `keep` on; they are down already. */
  async #forget(id: string, keep: number): Promise<void> {
    const units = this.#units.get(id) ?? [];
    for (const unit of units.splice(keep)) {
      await this.#logs.get(unit.id)?.close();
      this.#logs.delete(unit.id);
      this.#options.controlPlane?.registry.remove(unit.id);
    }
    if (keep === 0 && !this.#spec.components.some((one) => one.id === id && one.replicas === 0)) this.#units.delete(id);
    if (keep === 0) this.#watcher.unwatch(id);
    this.#supervisor.syncKnownProcesses(this.#all().map((unit) => unit.id));
  }

  /** While it runs, the pipeline is not over, whatever its components say. */
  async #launch(work: () => Promise<unknown>): Promise<void> {
    if (this.#stop) throw new UnitNotFoundError('the pipeline is being stopped', { id: this.#spec.name });
    this.#launching++;
    try {
      await work();
    } finally {
      this.#launching--;
      this.#endIfOver();
    }
  }

  // ── down ──

  async #stopAll(reason: string): Promise<void> {
    this.#watcher.close();
    this.#setPhase('stopping', reason);
    // Not within the event that caused it: those who wait see the state first.
    await Promise.resolve();
    this.#abort.abort(new DOMException('the pipeline is being stopped', 'AbortError'));
    await this.#prepared;
    await this.#takeDown(this.#plan, () => true);
    await this.#end(reason);
  }

  /** Dependents before what they depend on; independent ones at the same time. */
  async #takeDown(order: Plan, wanted: (unit: ComponentUnit) => boolean): Promise<void> {
    const stops = new Map<string, Promise<void>>();
    const stopOne = (id: string): Promise<void> => {
      const known = stops.get(id);
      if (known) return known;
      const stop = (async () => {
        await Promise.all((order.dependents.get(id) ?? []).map(stopOne));
        await Promise.all((this.#units.get(id) ?? []).filter((unit) => wanted(unit) && unit.state !== 'pending').map((unit) => unit.stop()));
      })();
      stops.set(id, stop);
      return stop;
    };
    await Promise.all(order.order.map(stopOne));
  }

  #endIfOver(): void {
    if (this.#stop || this.#launching > 0) return;
    const all = this.#all();
    if (all.length > 0 && all.every((unit) => unit.ended)) void this.stop(all.some((unit) => unit.state === 'failed') ? 'failed' : 'completed');
  }

  async #end(reason?: string): Promise<void> {
    await this.#supervisor.shutdown();
    await this.#options.controlPlane?.close();
    await this.#options.orchestrator.close();
    await Promise.all([...this.#logs.values()].map((log) => log.close()));
    const exitCode = this.#failure || reason === undefined ? 1 : 0;
    this.#setPhase(exitCode === 0 ? 'stopped' : 'failed', reason, exitCode);
    this.#resolve({ exitCode, failure: this.#failure });
  }

  // ── small things ──

  #planFor(spec: PipelineSpec, orchestrator: Orchestrator): Plan {
    const refusals = spec.components.flatMap((component) => orchestrator.refusal(component) ?? []);
    if (refusals.length > 0) throw new PipelineInvalidError(refusals.join('\n'), { problems: refusals.map((message) => ({ message })) });
    const made = plan(spec.components);
    if ('cycle' in made) throw new PipelineInvalidError(`components wait for each other: ${made.cycle.join(' → ')}`, { problems: [] });
    return made;
  }

  #all(): ComponentUnit[] {
    return this.#plan.order.flatMap((id) => this.#units.get(id) ?? []);
  }

  #unit(id: string): ComponentUnit | undefined {
    for (const units of this.#units.values()) for (const unit of units) if (unit.id === id) return unit;
    return undefined;
  }

  /** All replicas of a component, or one replica. */
  #find(id: string): ComponentUnit[] {
    const unit = this.#unit(id);
    return this.#units.get(id) ?? (unit ? [unit] : this.#unknown(id));
  }

  #unknown(id: string): never {
    const suggestion = closest(id, this.#all().map((unit) => unit.id));
    throw new UnitNotFoundError(`component not found: ${id}${suggestion ? `; did you mean '${suggestion}'?` : ''}`, { id });
  }

  #setPhase(phase: PipelinePhase, reason?: string, exitCode?: number): void {
    this.#phase = phase;
    this.events.emit('pipeline', { name: this.#spec.name, phase, ...(reason === undefined ? {} : { reason }), ...(exitCode === undefined ? {} : { exitCode }), ...(this.endpoint === undefined ? {} : { endpoint: this.endpoint }) });
  }
}

/** Made by one function from one table: the same text means the same component. */
const same = (a: Component, b: Component): boolean => JSON.stringify(a) === JSON.stringify(b);
