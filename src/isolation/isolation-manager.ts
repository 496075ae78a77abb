// Bulkheads for anything a Syncer can bring up: one process for all, for a namespace, or for a session.
// What fails under one key is never felt under another; each key has its own unit, restarts and limits.
import type { HealthReport } from '../supervisor/health.js';
import { refuseUnknown } from '../supervisor/options.js';
import type { SupervisorOptions } from '../supervisor/supervisor-options.js';
import type { ExitReport, Syncer } from '../supervisor/syncer.js';
import { parseDuration, type Duration } from '../units.js';
import { Bulkhead, type IsolationEvents } from './bulkhead.js';
import type { Entry, IsolationStatus } from './entry.js';
import { checkLevel, processIdOf, type IsolationKey, type IsolationLevel } from './key.js';
import { BULKHEAD_OPTIONS, type BulkheadOptions } from './options.js';
import { SupervisedBackend } from './supervised-backend.js';

type SupervisorPart = Pick<SupervisorOptions<unknown>, 'resyncInterval' | 'backOffPeriod' | 'gracePeriod' | 'restartPolicy' | 'metrics' | 'keepAlive' | 'random'>;

export interface IsolationManagerOptions extends BulkheadOptions, SupervisorPart {
  /** Whether the process of this id is at work; it is not evicted then. */
  busy?: (id: string) => boolean;
}

/** A process of one key. */
export interface IsolatedProcess<Config> {
  readonly id: string;
  /** The key that the caller asked with. */
  readonly key: IsolationKey;
  /** The config that it runs with: that of the call which started it. */
  readonly config: Config;
  /** Whether it is well at this moment. */
  readonly health: boolean;
}

const SUPERVISOR_OPTIONS = ['resyncInterval', 'backOffPeriod', 'gracePeriod', 'restartPolicy', 'metrics', 'keepAlive', 'random'] as const;

export class IsolationManager<Config = unknown> {
  readonly level: IsolationLevel;
  readonly #backend: SupervisedBackend<Config>;
  readonly #bulkhead: Bulkhead<Config, string>;

  /** @throws UnknownOptionError, InvalidOptionError */
  constructor(level: IsolationLevel, syncer: Syncer<Config>, options: IsolationManagerOptions = {}) {
    this.level = checkLevel(level);
    refuseUnknown(options, [...BULKHEAD_OPTIONS, ...SUPERVISOR_OPTIONS, 'busy'], 'IsolationManager');
    const { clock, onError, busy, idleTimeout, maxProcesses, cooldown } = options;
    const own = Object.fromEntries(SUPERVISOR_OPTIONS.filter((name) => options[name] !== undefined).map((name) => [name, options[name]])) as SupervisorPart;
    this.#backend = new SupervisedBackend(syncer, { ...own, ...(clock && { clock }), ...(onError && { onError }) }, busy);
    this.#bulkhead = new Bulkhead(this.#backend, { idleTimeout, maxProcesses, cooldown, clock, onError });
  }

  /**
   * The process of this key, started with `config` if it does not run; a running one keeps the config that it was started with.
   * @throws what the first sync threw; IsolationFullError when all `maxProcesses` are at work; RestartsExhaustedError while a key
   * that was given up cools down
   */
  async getOrCreateProcess(key: IsolationKey, config: Config): Promise<IsolatedProcess<Config>> {
    const entry = await this.#bulkhead.get(processIdOf(this.level, key), key, () => config);
    return this.#handle(entry, key);
  }

  /** The process of this key; undefined when there is none. */
  getProcess(key: IsolationKey): IsolatedProcess<Config> | undefined {
    const entry = this.#bulkhead.peek(processIdOf(this.level, key));
    return entry && this.#handle(entry, key);
  }

  /** Ends the process of this key; resolves when nothing of it runs any more. @throws UnitNotFoundError */
  async terminateProcess(key: IsolationKey, gracePeriod?: Duration): Promise<void> {
    await this.#bulkhead.terminate(processIdOf(this.level, key), gracePeriod === undefined ? undefined : parseDuration(gracePeriod, 'gracePeriod'));
  }

  listProcesses(): IsolatedProcess<Config>[] {
    return Array.from(this.#bulkhead.values(), (entry) => this.#handle(entry, entry.key));
  }

  /** More of each process: state, last use, why it was given up. */
  status(): IsolationStatus<Config>[] {
    return this.#bulkhead.list();
  }

  /** Tells that the process of this key died by itself; the restart policy decides. */
  notifyExit(key: IsolationKey, report?: ExitReport): boolean {
    return this.#backend.notifyExit(processIdOf(this.level, key), report);
  }

  health(): HealthReport {
    return this.#backend.supervisor.health();
  }

  on<Name extends keyof IsolationEvents>(name: Name, listener: (event: IsolationEvents[Name]) => unknown): () => void {
    return this.#bulkhead.on(name, listener);
  }

  /** Ends all processes. @throws ShutdownIncompleteError when `signal` aborts first */
  async shutdown(options: { signal?: AbortSignal; gracePeriod?: Duration } = {}): Promise<void> {
    refuseUnknown(options, ['signal', 'gracePeriod'], 'shutdown');
    const grace = options.gracePeriod === undefined ? undefined : parseDuration(options.gracePeriod, 'gracePeriod');
    const ended = this.#bulkhead.shutdown(grace);
    ended.catch(() => undefined);
    await this.#backend.supervisor.shutdown(options);
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  #handle({ id, config }: Entry<Config, string>, key: IsolationKey): IsolatedProcess<Config> {
    const { supervisor } = this.#backend;
    return {
      id,
      key,
      config,
      get health() {
        return supervisor.getProcessStatus(id)?.healthy ?? false;
      },
    };
  }
}
