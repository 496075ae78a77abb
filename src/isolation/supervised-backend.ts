// Isolated things as units of a Supervisor of their own: it retries, restarts, measures and ends them.
// Invariant: a unit that never came up ends at its first error, so that its caller hears the cause; one that was up once is
// restarted by the policy.
import { ProcessStoppedError } from '../errors.js';
import { Supervisor } from '../supervisor/supervisor.js';
import type { SupervisorOptions } from '../supervisor/supervisor-options.js';
import type { EndReason } from '../supervisor/status.js';
import type { ExitReport, Syncer } from '../supervisor/syncer.js';
import type { IsolationBackend, StartContext, StopContext } from './backend.js';

interface Unit<Config> {
  readonly config: Config;
  up: boolean;
  readonly gone: (error: Error | undefined) => void;
}

const ASKED: readonly EndReason[] = ['terminate', 'shutdown', 'not-desired'];

export class SupervisedBackend<Config> implements IsolationBackend<Config, string> {
  readonly supervisor: Supervisor<Unit<Config>>;
  readonly #units = new Map<string, Unit<Config>>();

  constructor(syncer: Syncer<Config>, options: Omit<SupervisorOptions<unknown>, 'syncer'>, private readonly isBusy: ((id: string) => boolean) | undefined) {
    this.supervisor = new Supervisor<Unit<Config>>({
      ...options,
      syncer: {
        async syncProcess(ctx, updateType, unit) {
          try {
            const result = await syncer.syncProcess(ctx, updateType, unit.config);
            if (!result?.terminal) unit.up = true;
            return result;
          } catch (error) {
            if (unit.up || ctx.signal.aborted) throw error;
            return { terminal: true, error };
          }
        },
        syncTerminatingProcess: (ctx, { config }) => syncer.syncTerminatingProcess(ctx, config),
        syncTerminatedProcess: (ctx, { config }) => syncer.syncTerminatedProcess(ctx, config),
      },
    });
    this.supervisor.on('finished', ({ id, reason, error }) => {
      const unit = this.#units.get(id);
      this.#units.delete(id);
      if (unit?.up && !ASKED.includes(reason)) unit.gone(reason === 'terminal' || reason === 'completed' ? undefined : error);
    });
  }

  async start({ id, config, signal, gone }: StartContext<Config>): Promise<string> {
    const unit: Unit<Config> = { config, up: false, gone };
    this.#units.set(id, unit);
    const cut = () => void this.supervisor.updateProcess({ id, updateType: 'terminate', terminateOptions: { gracePeriod: 0, evict: true } });
    const applied = this.supervisor.updateProcess({ id, updateType: 'create', config: unit });
    signal.addEventListener('abort', cut, { once: true });
    const status = await applied.finally(() => signal.removeEventListener('abort', cut));
    if (status.state === 'Syncing') return id;
    await this.#finished(id);
    throw status.lastError ?? new ProcessStoppedError(`${id}: it ended while it started`, { process: id });
  }

  async stop(id: string, { gracePeriod }: StopContext): Promise<void> {
    if (!this.supervisor.getProcessStatus(id)) return;
    await this.supervisor.updateProcess({ id, updateType: 'terminate', terminateOptions: { evict: true, ...(gracePeriod !== undefined && { gracePeriod }) } });
    await this.#finished(id);
  }

  busy(id: string): boolean {
    return this.isBusy?.(id) ?? false;
  }

  notifyExit(id: string, report?: ExitReport): boolean {
    return this.supervisor.notifyExit(id, report);
  }

  async #finished(id: string): Promise<void> {
    if (this.supervisor.getProcessStatus(id) && !this.supervisor.isFinished(id)) await this.supervisor.whenFinished(id);
    // Nobody asks for it under this id again unless it is created anew.
    if (this.supervisor.isFinished(id)) void this.supervisor.updateProcess({ id, updateType: 'terminate', terminateOptions: { evict: true } });
  }
}
