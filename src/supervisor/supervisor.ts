// The table of units and the way in: it hands updates to one worker a unit, begins new generations, and shuts all down.
// Two timers serve any number of units; an idle unit costs one heap entry.
import { ProcessStoppedError, ShutdownIncompleteError, UnitNotFoundError } from '../errors.js';
import type { Duration } from '../units.js';
import type { Engine, SupervisorEvents } from './engine.js';
import { healthReport, type HealthReport } from './health.js';
import { refuseUnknown } from './options.js';
import { resolveRestartPolicy, type RestartPolicy } from './restart-options.js';
import type { ProcessStatus } from './status.js';
import { checkTerminateOptions, checkUpdate, createEngine, type SupervisorOptions } from './supervisor-options.js';
import type { ExitReport, ProcessUpdate } from './syncer.js';
import type { TerminationRequest } from './termination.js';
import { Worker } from './worker.js';

type Resolve = (status: ProcessStatus) => void;
interface Successor<Config> { config: Config; restartPolicy: RestartPolicy | undefined; waiters: Resolve[] }
interface Unit<Config> { worker: Worker<Config>; successor: Successor<Config> | undefined; finishedWaiters: Resolve[] | undefined }

export class Supervisor<Config = unknown> {
  readonly #engine: Engine<Config>;
  readonly #units = new Map<string, Unit<Config>>();
  #stopping = false;

  constructor(options: SupervisorOptions<Config>) {
    this.#engine = createEngine(options, {
      onDue: (id) => this.#units.get(id)?.worker.due(),
      onDeadline: (id) => this.#units.get(id)?.worker.hurry(),
    });
  }

  /** Listens to an event; the function returned stops listening. What a listener throws goes to `onError`. */
  on<Name extends keyof SupervisorEvents>(name: Name, listener: (event: SupervisorEvents[Name]) => unknown): () => void {
    return this.#engine.events.on(name, listener);
  }

  /**
   * Says how a unit shall be. The promise never rejects: it resolves with the unit's status when this update, or a later one,
   * has been applied, or when the unit is Terminated (look at `lastError`). A create for a unit that is ending waits for its
   * end and begins a new generation; any other update of an ending or Finished unit does nothing.
   * @throws UnitNotFoundError for an unknown id without a config; ProcessStoppedError once shutdown has begun.
   */
  updateProcess(update: ProcessUpdate<Config>): Promise<ProcessStatus> {
    checkUpdate(update);
    if (update.updateType === 'terminate') return this.#terminate(update.id, update.config, checkTerminateOptions(update.terminateOptions));
    if (this.#stopping) throw new ProcessStoppedError(`${update.id}: the supervisor is shutting down`, { process: update.id });
    const restartPolicy = policyOf(update, this.#engine.restartPolicy);
    const unit = this.#units.get(update.id);
    if (!unit) {
      if (update.updateType !== 'create' && update.config === undefined) throw notFound(update.id);
      return this.#begin(update.id, 1, update.config as Config, restartPolicy).worker.update(update.updateType, undefined);
    }
    const { worker } = unit;
    if (worker.phase === 'Starting' || worker.phase === 'Syncing') return worker.update(update.updateType, update.config, restartPolicy);
    const { successor } = unit;
    if (update.updateType !== 'create' && !successor) return worker.terminated();
    return new Promise((resolve) => {
      const next: Successor<Config> = successor ?? { config: update.config as Config, restartPolicy: undefined, waiters: [] };
      if (update.config !== undefined) next.config = update.config;
      if (update.updateType === 'create' || restartPolicy) next.restartPolicy = restartPolicy;
      next.waiters.push(resolve);
      unit.successor = next;
      if (worker.finished) this.#succeed(unit);
    });
  }

  /**
   * Tells that the thing which a sync had brought up has died by itself. The restart policy decides whether and when it is
   * synced again. While a sync runs, that sync is aborted and counts as failed. False when the report was of no consequence
   * (unknown, ending, already down, or of an earlier generation).
   */
  notifyExit(id: string, report: ExitReport = {}): boolean {
    return this.#units.get(id)?.worker.exited(report) ?? false;
  }

  getProcessStatus(id: string): ProcessStatus | undefined {
    return this.#units.get(id)?.worker.status();
  }

  /** Nothing of it runs any more (cleaning up may still go on). False for an unknown id. */
  isTerminated(id: string): boolean {
    const phase = this.#units.get(id)?.worker.phase;
    return phase === 'Terminated' || phase === 'Finished';
  }

  isFinished(id: string): boolean {
    return this.#units.get(id)?.worker.phase === 'Finished';
  }

  /** Resolves when the present life of the unit is Finished. @throws UnitNotFoundError */
  whenFinished(id: string): Promise<ProcessStatus> {
    const unit = this.#units.get(id);
    if (!unit) throw notFound(id);
    if (unit.worker.finished) return Promise.resolve(unit.worker.status());
    return new Promise((resolve) => (unit.finishedWaiters ??= []).push(resolve));
  }

  /** Ends all units that are not in `ids` and forgets those of them that are Finished; answers the units that are not Finished yet. */
  syncKnownProcesses(ids: Iterable<string>): Map<string, ProcessStatus> {
    const desired = new Set(ids);
    const result = new Map<string, ProcessStatus>();
    for (const [id, unit] of this.#units) {
      if (!desired.has(id)) {
        if (unit.worker.finished && !unit.successor) this.#forget(id);
        else this.#end(unit, 'not-desired');
      }
      if (!unit.worker.finished) result.set(id, unit.worker.status());
    }
    return result;
  }

  health(): HealthReport {
    return healthReport(this.#statuses(), this.#engine.queue.depth);
  }

  /**
   * Ends all units and resolves when all are Finished. May be called again, with another deadline.
   * @throws ShutdownIncompleteError when `signal` aborts first: `left` names what is left, `cause` is the signal's reason. The
   * terminating hooks have then been told to kill at once, and the supervisor goes on trying.
   */
  async shutdown(options: { signal?: AbortSignal | undefined; gracePeriod?: Duration | undefined } = {}): Promise<void> {
    refuseUnknown(options, ['signal', 'gracePeriod'], 'shutdown');
    const request = checkTerminateOptions(options.gracePeriod === undefined ? {} : { gracePeriod: options.gracePeriod });
    this.#stopping = true;
    const { signal } = options;
    const ends = [...this.#units].map(([id, unit]) => {
      this.#end(unit, 'shutdown', request);
      return this.#units.has(id) ? this.whenFinished(id) : undefined;
    });
    const all = Promise.all(ends);
    if (!signal) return void (await all);
    let giveUp!: () => void;
    const deadline = new Promise<'late'>((resolve) => {
      giveUp = () => resolve('late');
      if (signal.aborted) giveUp();
      else signal.addEventListener('abort', giveUp, { once: true });
    });
    const outcome = await Promise.race([all, deadline]);
    signal.removeEventListener('abort', giveUp);
    const left = [...this.#units].filter(([, unit]) => !unit.worker.finished);
    if (outcome !== 'late' || left.length === 0) return;
    for (const [, unit] of left) unit.worker.hurry();
    const named = left.map(([id, unit]) => `${id} (${unit.worker.phase})`);
    throw new ShutdownIncompleteError(`${left.length} of ${ends.length} units outlived the shutdown deadline: ${list(named)}`, { left: left.map(([id, unit]) => ({ name: id, why: `its phase is ${unit.worker.phase}` })), cause: signal.reason });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  *#statuses(): Iterable<ProcessStatus> {
    for (const { worker } of this.#units.values()) yield worker.status();
  }

  #terminate(id: string, config: Config | undefined, request: TerminationRequest): Promise<ProcessStatus> {
    let unit = this.#units.get(id);
    if (!unit) {
      if (config === undefined || this.#stopping) throw notFound(id);
      unit = this.#begin(id, 1, config, undefined);
    }
    return this.#end(unit, 'terminate', request);
  }

  #end(unit: Unit<Config>, reason: 'terminate' | 'not-desired' | 'shutdown', request?: TerminationRequest): Promise<ProcessStatus> {
    const { worker } = unit;
    const overtaken = unit.successor?.waiters ?? [];
    unit.successor = undefined;
    const ended = worker.terminate(reason, request);
    for (const resolve of overtaken) void ended.then(resolve);
    if (worker.finished && worker.evict) this.#forget(worker.id);
    return ended;
  }

  #begin(id: string, generation: number, config: Config, restartPolicy: RestartPolicy | undefined): Unit<Config> {
    const policy = restartPolicy ?? this.#engine.restartPolicy;
    const worker = new Worker<Config>(this.#engine, { id, generation, config, restartPolicy: policy }, () => this.#onFinished(unit));
    const unit: Unit<Config> = { worker, successor: undefined, finishedWaiters: undefined };
    this.#units.set(id, unit);
    return unit;
  }

  #onFinished(unit: Unit<Config>): void {
    const status = unit.worker.status();
    for (const resolve of unit.finishedWaiters ?? []) resolve(status);
    unit.finishedWaiters = undefined;
    if (unit.successor) this.#succeed(unit);
    else if (unit.worker.evict) this.#forget(unit.worker.id);
  }

  #succeed(unit: Unit<Config>): void {
    const { config, restartPolicy, waiters } = unit.successor!;
    unit.successor = undefined;
    const next = this.#begin(unit.worker.id, unit.worker.generation + 1, config, restartPolicy);
    const applied = next.worker.update('create', undefined);
    for (const resolve of waiters) void applied.then(resolve);
  }

  #forget(id: string): void {
    this.#units.delete(id);
    this.#engine.metrics.processForgotten(id);
  }
}

/** What an update says of the policy of its unit; undefined: nothing. */
function policyOf(update: ProcessUpdate<unknown>, base: RestartPolicy): RestartPolicy | undefined {
  const own = 'restartPolicy' in update && update.restartPolicy ? resolveRestartPolicy(update.restartPolicy) : undefined;
  const heals = 'heals' in update && update.heals === true;
  return own || heals ? { ...(own ?? base), heals } : undefined;
}

const notFound = (id: string) => new UnitNotFoundError(`no unit '${id}'`, { id });
const list = (names: readonly string[]) => (names.length > 10 ? `${names.slice(0, 10).join(', ')} and ${names.length - 10} more` : names.join(', '));
