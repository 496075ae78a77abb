// A process as a child of a group: one ManagedProcess through all its lives, so that its proxy stays the same.
// The process never restarts by itself; its group says when.
import { createRemote } from '../rpc/remote.js';
import type { ChildContext, GroupChild } from '../supervisor/group-child.js';
import type { ManagedProcess } from './managed-process.js';
import type { SpawnOptions } from './options.js';
import type { ProcessChild } from './supervision-options.js';

export interface GroupOfProcess {
  /** Its user ended it. */
  notifyStopped(name: string): void;
  restart(name: string): Promise<void>;
}

export class SupervisedProcess {
  unit: ManagedProcess | undefined;
  #proxy: object | undefined;
  #exited: ChildContext['exited'] | undefined;
  /** The whole tree ends: calls are refused instead of waiting. */
  #ending = false;

  constructor(
    readonly definition: ProcessChild,
    private readonly group: () => GroupOfProcess,
    private readonly spawnUnit: (options: SpawnOptions, signal: AbortSignal) => Promise<ManagedProcess>,
  ) {}

  get name(): string {
    return this.definition.name;
  }

  /** The proxy; undefined while it has never been up. */
  get proxy(): object | undefined {
    return (this.#proxy ??= this.unit && createRemote(this.unit.client));
  }

  asChild(): GroupChild {
    const { name, type, critical, optional } = this.definition;
    return {
      name,
      ...(type !== undefined && { type }),
      ...(critical !== undefined && { critical }),
      ...(optional !== undefined && { optional }),
      start: (context) => this.#start(context),
      stop: () => this.#stop(),
    };
  }

  /** Calls that wait now, or come while it is down, are refused. */
  refuse(status: 'stopped' | 'failed', error?: () => Error): void {
    this.unit?.refuse(status, error);
  }

  /** From now on its end is the end. */
  end(): void {
    this.#ending = true;
  }

  async #start({ signal, exited }: ChildContext): Promise<void> {
    this.#ending = false;
    this.#exited = exited;
    if (this.unit) return this.unit.startAgain(signal);
    const { name, options } = this.definition;
    const unit = await this.spawnUnit({ name, ...options, restartPolicy: { type: 'temporary' } }, signal);
    this.unit = unit;
    unit.adopt({
      died: (error, clean) => this.#exited?.({ error, clean }),
      stopped: () => {
        if (!this.#ending) this.group().notifyStopped(name);
      },
      restart: () => this.group().restart(name),
    });
    // It may have died before there was anyone to tell.
    if (!unit.running) exited({ ...(unit.down.failure && { error: unit.down.failure }) });
  }

  async #stop(): Promise<void> {
    if (this.#ending) await this.unit?.stop();
    else await this.unit?.pause();
  }
}
