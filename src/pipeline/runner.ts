// One pipeline from start to end: components come up in the order of the plan, each when what it needs is there, and go down
// in reverse. All of them are units of one supervisor. No data passes through here.
// Invariant: when `done` resolves, nothing that this object started is left.
import { InvalidOptionError, ShutdownIncompleteError, UnitNotFoundError, type ComponentFailedError } from '../errors.js';
import { within } from '../runtime/within.js';
import { Slots } from '../runtime/slots.js';
import { Emitter } from '../supervisor/emitter.js';
import { Supervisor } from '../supervisor/supervisor.js';
import type { ControlPlane } from './control-plane.js';
import { difference, refuseAnother } from './difference.js';
import { environmentFor, type ControlPlaneAddress } from './environment.js';
import type { PipelineEvents, PipelinePhase, PipelineStatus } from './events.js';
import { Gate, STOPPING } from './gate.js';
import type { LogFile } from './log-file.js';
import type { Component, PipelineSpec } from './model.js';
import type { Orchestrator } from './orchestrator.js';
import { inReverse, type Plan } from './plan.js';
import { planFor } from './refusals.js';
import { statusOf } from './replica-status.js';
import { Roster } from './roster.js';
import { checkComponents, portsOf } from './semantics.js';
import type { ComponentState, ComponentUnit, UnitContext } from './unit.js';
import { UsageMeter } from './usage-meter.js';
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
  /** Why something could not be cleared away; the exit code is then 1. */
  readonly left: Error | undefined;
}

/** What a new version of the file changed. `failed`: why components did not come up. */
export interface Changes {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
  readonly failed: readonly string[];
}

const MOST_REPLICAS = 1000;
/** Nobody is sent to one in such a state. One that starts may say of itself that it is there. */
const UNREADY: readonly ComponentState[] = ['unhealthy', 'restarting', 'stopping', 'stopped', 'completed', 'failed'];
/** Beyond the graces of all components: longest wait for each step of the end, ms. An engine of containers may have stopped answering. */
const END_MS = 30_000;

export class PipelineRunner {
  readonly events = new Emitter<PipelineEvents>();
  /** Resolves when all is over. */
  readonly done: Promise<Outcome>;
  readonly startedAt = new Date();
  #spec: PipelineSpec;
  #plan: Plan;
  readonly #options: RunnerOptions;
  readonly #supervisor: Supervisor<ComponentUnit>;
  readonly #roster: Roster;
  readonly #gate: Gate;
  #starts: Slots | undefined;
  readonly #meter = new UsageMeter();
  readonly #watcher: Watcher;
  readonly #abort = new AbortController();
  #address: ControlPlaneAddress;
  #phase: PipelinePhase = 'starting';
  #failure: ComponentFailedError | undefined;
  #stop: Promise<void> | undefined;
  #launching = 0;
  /** When the first start was over. */
  #upAt = Infinity;
  /** Settles, without rejecting, when the last change that was asked for is over. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Settles, without rejecting, when the preparation is over: before that there is nothing to clear away. */
  #prepared: Promise<void> = Promise.resolve();
  #resolve!: (outcome: Outcome) => void;

  /** @throws PipelineInvalidError when a component cannot run in this orchestrator */
  constructor(spec: PipelineSpec, options: RunnerOptions) {
    this.#spec = spec;
    this.#options = options;
    this.#plan = planFor(spec, options.orchestrator);
    this.#address = { endpoint: undefined, tokenOf: (id) => options.controlPlane?.tokenOf(id), heartbeat: options.heartbeatInterval ?? '10s' };
    this.done = new Promise((resolve) => (this.#resolve = resolve));
    this.#supervisor = new Supervisor<ComponentUnit>({
      syncer: {
        syncProcess: (context, _type, unit) => unit.sync(context),
        syncTerminatingProcess: (context, unit) => unit.terminate(context),
        syncTerminatedProcess() {},
      },
      resyncInterval: Infinity,
    });
    this.#supervisor.on('finished', ({ id, reason, error }) => this.#roster.unit(id)?.finished(reason, error));
    this.#roster = new Roster({ logDir: options.logDir, rotation: () => this.#spec.log, context: this.#context, onTrouble: (message) => this.events.emit('progress', { message, warning: true }) });
    this.#gate = new Gate(this.#roster, this.events, this.#abort.signal);
    this.#watcher = new Watcher({
      // What components write about themselves is no change of their program.
      never: options.logDir === undefined ? [] : [options.logDir],
      onChange: (id, path) => {
        this.events.emit('progress', { message: `${path} has changed: ${id} is started again` });
        void this.restart(id).catch(() => {});
      },
    });
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
  start(): Promise<void> {
    const started = this.#start();
    this.#turn = started.catch(() => {});
    return started;
  }

  async #start(): Promise<void> {
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
    for (const component of this.#spec.components) this.#roster.adopt(component);
    await Promise.all(this.#spec.components.map((component) => this.#bringUp(component)));
    this.#launching--;
    if (this.#stop) {
      await this.#stop;
      if (this.#failure) throw this.#failure;
      return;
    }
    this.#upAt = performance.now();
    this.#setPhase('started', { failed: this.#roster.all().flatMap((unit) => (unit.state === 'failed' ? [unit.id] : [])) });
    this.#endIfOver();
  }

  /** Dependents first, each with its grace; a second call changes nothing. Resolves when it is over; `done` tells how. */
  stop(reason = 'stop'): Promise<void> {
    return (this.#stop ??= this.#stopAll(reason));
  }

  /** All at once, with SIGKILL. */
  async kill(): Promise<void> {
    const stopping = this.stop('kill');
    for (const unit of this.#roster.all()) if (this.#supervisor.getProcessStatus(unit.id)) void this.#supervisor.updateProcess({ id: unit.id, updateType: 'terminate', terminateOptions: { gracePeriod: 0 } });
    await stopping;
  }

  /** Ends one component (or one replica) and leaves it down. Who waits for it is skipped. @throws UnitNotFoundError */
  async stopComponent(id: string): Promise<void> {
    await Promise.all(this.#roster.find(id).map((unit) => unit.stop()));
    this.#endIfOver();
  }

  /**
   * Ends and starts one component (or one replica) at once, whatever became of it or of what it depends on; one that still
   * waits for its first start goes on waiting. @throws UnitNotFoundError; ComponentFailedError when it does not come up
   */
  async restart(id: string): Promise<void> {
    await this.#launch(async () => {
      const units = this.#roster.find(id);
      await Promise.all(units.map((unit) => unit.restart()));
      const failed = units.find((unit) => unit.state === 'failed');
      if (failed) throw failed.error!;
    });
  }

  /** Brings the number of replicas to `replicas`; the last ones go first. @throws UnitNotFoundError, InvalidOptionError */
  async scale(id: string, replicas: number): Promise<Changes> {
    if (!Number.isInteger(replicas) || replicas < 0 || replicas > MOST_REPLICAS) throw new InvalidOptionError(`replicas: ${replicas} is not a whole number between 0 and ${MOST_REPLICAS}`, { option: 'replicas' });
    return this.#reshape((spec) => {
      const component = spec.components.find((one) => one.id === id) ?? this.#roster.unknown(id);
      const components = spec.components.map((one) => (one === component ? { ...one, replicas } : one));
      checkComponents(components, (_component, _field, message) => {
        throw new InvalidOptionError(message, { option: 'replicas' });
      });
      return { ...spec, components };
    });
  }

  /** Takes a new version of the pipeline and touches only what differs, has failed or was skipped. Answers what was done. @throws PipelineInvalidError */
  reload(spec: PipelineSpec): Promise<Changes> {
    return this.#reshape(() => spec);
  }

  status(): PipelineStatus {
    const { name, file } = this.#spec;
    const { orchestrator, controlPlane, logDir } = this.#options;
    return {
      name,
      file,
      cwd: process.cwd(),
      orchestrator: orchestrator.type,
      phase: this.#phase,
      pid: process.pid,
      endpoint: this.endpoint,
      startedAt: this.startedAt.toISOString(),
      logDir,
      components: this.#ordered().map((unit) => statusOf(unit, controlPlane?.registry.get(unit.id)?.status, this.#meter.last(unit.id))),
    };
  }

  /** The status with what each component uses now. */
  async measure(): Promise<PipelineStatus> {
    await this.#meter.read(this.#roster.all());
    return this.status();
  }

  /** The logs of all components, or of one (or a replica). @throws UnitNotFoundError */
  logs(id?: string): { id: string; log: LogFile }[] {
    const units = id === undefined ? this.#ordered() : this.#roster.find(id);
    return units.flatMap((unit) => {
      const log = this.#roster.log(unit.id);
      return log ? [{ id: unit.id, log }] : [];
    });
  }

  // ── up ──

  async #bringUp(component: Component): Promise<void> {
    const reason = await this.#gate.pass(component.id, this.#plan.dependencies.get(component.id)!);
    const waiting = this.#roster.of(component.id).filter((unit) => unit.state === 'pending');
    if (reason !== undefined || this.#stop) {
      for (const unit of waiting) unit.skip(reason ?? STOPPING);
      return;
    }
    await Promise.all(waiting.map((unit) => unit.start()));
    if (!this.#stop) this.#watcher.watch(component.id, component.watch);
  }

  readonly #context: UnitContext = (() => {
    const runner = this;
    return {
      get supervisor() { return runner.#supervisor; },
      get orchestrator() { return runner.#options.orchestrator; },
      get starts() { return (runner.#starts ??= new Slots(runner.#spec.maxConcurrentStarts)); },
      env: (replica) => environmentFor(replica, this.#address, this.#spec.name, this.#options.orchestrator.type === 'container'),
      onState: (unit, from) => this.#onState(unit, from),
      onLine: (unit, line, stream) => {
        this.#roster.log(unit.id)?.write(line);
        this.events.emit('log', { id: unit.id, stream, line });
      },
    };
  })();

  #onState(unit: ComponentUnit, from: ComponentUnit['state']): void {
    const { id, state, detail, restarts, running } = unit;
    this.#options.controlPlane?.registry.setReady(id, !UNREADY.includes(state));
    const first = from === 'starting' || (from === 'pending' && state === 'starting');
    this.events.emit('component', { id, component: unit.component.id, state, from, first, check: unit.passed, restarts, ...(running?.pid === undefined ? {} : { pid: running.pid }), ...(detail === undefined ? {} : { detail }) });
    // One that somebody changed or restarted and that does not come up is told of, but takes nobody along.
    const asked = this.#phase === 'started' && unit.isNewSince(this.#upAt);
    if (state === 'failed' && this.#spec.onFailure === 'stop' && !asked && !this.#stop) {
      this.#failure = unit.error;
      void this.stop('failed');
    }
    if (unit.ended) this.#endIfOver();
  }

  #prepare(spec: PipelineSpec): Promise<void> {
    return this.#options.orchestrator.prepare(spec, { signal: this.#abort.signal, onProgress: (message) => this.events.emit('progress', { message }) });
  }

  async #startControlPlane(): Promise<void> {
    const { controlPlane, orchestrator } = this.#options;
    if (!controlPlane) return;
    const endpoint = await controlPlane.listen(orchestrator.controlPlane(), portsOf(this.#spec));
    this.#address = { ...this.#address, endpoint };
  }

  // ── change ──

  /** One change at a time, and none before the first start is over. `next` makes the new version from the one that runs by then. */
  #reshape(next: (current: PipelineSpec) => PipelineSpec): Promise<Changes> {
    const change = this.#turn.then(() => this.#launch(() => this.#apply(next(this.#spec))));
    this.#turn = change.catch(() => {});
    return change;
  }

  async #apply(next: PipelineSpec): Promise<Changes> {
    refuseAnother(this.#spec, next, this.#options.orchestrator.type);
    const nextPlan = planFor(next, this.#options.orchestrator);
    const { added, removed, changed, renewed } = difference(this.#spec, next);
    const after = new Map(next.components.map((one) => [one.id, one]));
    await this.#prepare(next);
    await this.#takeDown(this.#plan, ({ component: { id }, index }) => removed.includes(id) || renewed.includes(id) || index >= (after.get(id)?.replicas ?? 0));
    for (const id of [...removed, ...changed]) {
      for (const gone of await this.#roster.forget(id, after.get(id)?.replicas ?? 0)) this.#options.controlPlane?.registry.remove(gone);
    }
    for (const id of removed) {
      this.#roster.strike(id);
      this.#watcher.unwatch(id);
    }
    this.#supervisor.syncKnownProcesses(this.#roster.all().map((unit) => unit.id));
    this.#spec = next;
    this.#plan = nextPlan;
    for (const component of next.components) this.#roster.adopt(component);
    for (const unit of this.#roster.all()) {
      // What it was skipped or failed for may have gone: it is tried again, in its turn.
      if (renewed.includes(unit.component.id)) unit.renew(after.get(unit.component.id)!);
      else if (unit.state === 'failed' || unit.state === 'skipped') unit.reset();
    }
    const waiting = next.components.filter(({ id }) => this.#roster.of(id).some((unit) => unit.state === 'pending'));
    await Promise.all(waiting.map((component) => this.#bringUp(component)));
    const failed = waiting.flatMap(({ id }) => this.#roster.of(id).flatMap((unit) => (unit.state === 'failed' ? [unit.error!.message] : [])));
    return { added, removed, changed, failed };
  }

  /** While it runs, the pipeline is not over, whatever its components say. */
  async #launch<T>(work: () => Promise<T>): Promise<T> {
    if (this.#stop) throw new UnitNotFoundError(STOPPING, { id: this.#spec.name });
    this.#launching++;
    try {
      return await work();
    } finally {
      this.#launching--;
      this.#endIfOver();
    }
  }

  // ── down ──

  async #stopAll(reason: string): Promise<void> {
    this.#watcher.close();
    this.#setPhase('stopping', { reason });
    // Not within the event that caused it: those who wait see the state first.
    await Promise.resolve();
    this.#failure ??= this.#roster.all().find((unit) => unit.state === 'failed')?.error;
    this.#abort.abort(new DOMException(STOPPING, 'AbortError'));
    await this.#prepared;
    await within(this.#takeDown(this.#plan, () => true), this.#roster.all().reduce((ms, { component }) => ms + component.stop.gracePeriod, END_MS));
    await this.#end(reason);
  }

  #takeDown(order: Plan, wanted: (unit: ComponentUnit) => boolean): Promise<void> {
    return inReverse(order, async (id) => {
      await Promise.all(this.#roster.of(id).filter((unit) => wanted(unit) && unit.state !== 'pending').map((unit) => unit.stop()));
    });
  }

  #endIfOver(): void {
    if (this.#stop || this.#launching > 0) return;
    const all = this.#roster.all();
    // A change of its files may still mend what is watched.
    if (all.length > 0 && all.every((unit) => unit.ended && !(unit.state === 'failed' && unit.component.watch))) void this.stop(all.some((unit) => unit.state === 'failed') ? 'failed' : 'completed');
  }

  async #end(reason?: string): Promise<void> {
    const { controlPlane, orchestrator } = this.#options;
    let left: Error | undefined;
    // Whatever cannot be cleared away keeps nothing else from being, and is told.
    for (const step of [() => this.#supervisor.shutdown({ signal: AbortSignal.timeout(END_MS - 1_000) }), () => controlPlane?.close(), () => orchestrator.close(), () => this.#roster.close()]) {
      try {
        if (!(await within(Promise.resolve(step()), END_MS))) left ??= new ShutdownIncompleteError(`clearing away takes longer than ${END_MS} ms`, { left: [] });
      } catch (error) {
        left ??= error as Error;
      }
    }
    const exitCode = this.#failure || left || reason === undefined ? 1 : 0;
    this.#setPhase(exitCode === 0 ? 'stopped' : 'failed', { reason, exitCode });
    this.#resolve({ exitCode, failure: this.#failure, left });
  }

  // ── small things ──

  #ordered(): ComponentUnit[] {
    return this.#plan.order.flatMap((id) => this.#roster.of(id));
  }

  #setPhase(phase: PipelinePhase, more: { reason?: string | undefined; exitCode?: number; failed?: string[] } = {}): void {
    this.#phase = phase;
    const { reason, exitCode, failed = [] } = more;
    this.events.emit('pipeline', { name: this.#spec.name, phase, ...(reason === undefined ? {} : { reason }), ...(exitCode === undefined ? {} : { exitCode }), ...(failed.length === 0 ? {} : { failed }), ...(this.endpoint === undefined ? {} : { endpoint: this.endpoint }) });
  }
}
