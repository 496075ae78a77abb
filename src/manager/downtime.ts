// Why a process is down, and whether it will be up again by itself.
import { isError } from '../errors.js';
import type { Emitter } from '../supervisor/emitter.js';
import { haltError, type Halt } from '../supervisor/halt.js';
import type { ProcessStatus } from '../supervisor/status.js';
import type { Supervisor } from '../supervisor/supervisor.js';
import type { OwnEvents } from './process-context.js';
import type { Unit } from './unit.js';

export class Downtime {
  /** It never came up. */
  startError: unknown;
  /** What it died of, or why it was ended, the last time. */
  death: Error | undefined;
  /** Makes the error of a call, once the restart policy has given up. */
  exhausted: (() => Error) | undefined;
  /** Brings it up because somebody calls it, after it was given up; false when that may not be. */
  revive: (() => boolean) | undefined;
  /** A limit of the restart policy is met: it is not started before a certain time. */
  halt: Halt | undefined;

  /** Why it died or could not start the last time. */
  get failure(): Error | undefined {
    return this.death ?? (isError(this.startError) ? this.startError : undefined);
  }

  reason(name: string, restarts: number): Error | undefined {
    return this.halt ? haltError(name, restarts, this.halt) : (this.exhausted?.() ?? this.death);
  }

  /** It is up. */
  over(): void {
    this.death = this.exhausted = this.halt = undefined;
  }
}

/** `applied`, unless it comes to rest before that: who asks for a process to be up waits no longer than until then. */
export function unlessItRests<T>(applied: Promise<T>, own: Emitter<OwnEvents>, error: (halt: Halt) => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const off = own.on('halt', (halt) => reject(error(halt)));
    applied.then(resolve, reject).finally(off);
  });
}

/** What became of a start that was asked for. One that failed is told when its life is over, so that what is said then holds. */
export async function upOrOver(applied: Promise<ProcessStatus>, supervisor: Supervisor<Unit>, id: string): Promise<ProcessStatus> {
  const status = await applied;
  const over = status.state !== 'Syncing' && supervisor.getProcessStatus(id)?.generation === status.generation;
  if (over) await supervisor.whenFinished(id);
  return status;
}
