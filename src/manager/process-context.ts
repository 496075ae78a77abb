// What a managed process needs of its manager.
import type { Launch } from '../runtime/runtime.js';
import type { Halt } from '../supervisor/halt.js';
import type { Supervisor } from '../supervisor/supervisor.js';
import type { Address } from '../transport/address.js';
import type { TlsOptions } from '../transport/socket.js';
import type { ResolvedOptions } from './options.js';
import type { Unit } from './unit.js';

export interface Listening {
  address: Address;
  readonly token: string;
  readonly tls: TlsOptions | undefined;
}

export interface ManagedProcessContext {
  readonly supervisor: Supervisor<Unit>;
  readonly owner: string;
  launch(isolation: ResolvedOptions['isolation']): Promise<Launch>;
  /** Where the next incarnation of a process has its unix socket. */
  socketFor(id: string): string;
  /** Where others reach it, beside its owner. Port 0 is replaced by the real one, so that a restart listens there again. */
  readonly listen?: Listening | undefined;
  /** Above 0 the file is read anew even in this thread, as the reload of a pool needs. */
  readonly generation?: number;
  /** A limit of its restart policy lets it rest, and is no end. */
  readonly heals?: boolean;
}

/** What only the pool of a process hears. */
export interface OwnEvents {
  /** Its restart policy lets it rest. */
  halt: Halt;
  /** New calls wait until it has shown that it is not stuck (true), or go on. */
  held: boolean;
}

/** Who decides about the restarts of a process in place of its own policy: its group. */
export interface Adoption {
  /** It died by itself; nothing of it runs any more. Calls wait from now on. */
  died(error: Error, clean: boolean): void;
  /** Its user ended it: it is to stay down. */
  stopped(): void;
  /** Its user wants it started again. */
  restart(): Promise<void>;
}
