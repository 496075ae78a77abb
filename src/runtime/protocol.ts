// What owner and host say to each other over reference 0 of the owner's link.
import type { StartPhase } from '../errors.js';
import type { HealthStatus, LatencyMode, TransportName } from '../types.js';
import type { TlsOptions } from '../transport/socket.js';
import type { Address } from '../transport/address.js';

export interface StartOrder {
  readonly id: string;
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly file: string;
  readonly dependencies: unknown;
  /** Counts up with every start in this thread, so that a changed file is read again. */
  readonly generation: number;
  readonly transport: Exclude<TransportName, 'http'>;
  /** Where to listen, unless the transport is `ipc`. */
  readonly address: Address | undefined;
  readonly token: string;
  readonly tls: TlsOptions | undefined;
  readonly maxFrame: number | undefined;
  readonly latency: LatencyMode | undefined;
  readonly owner: string;
}

export interface Started {
  readonly name: string;
  readonly version: string | undefined;
  readonly description: string | undefined;
  readonly address: Address | undefined;
  readonly pid: number;
  readonly threadId: number;
  /** Shortest interval that a health check asked for, ms. */
  readonly healthInterval: number | undefined;
}

export interface StopOrder {
  readonly reason: string;
  readonly signal: string | undefined;
  /** Longest wait for running calls, ms. */
  readonly drain: number;
  /** By when all shutdown hooks must be done, ms from the order. */
  readonly hooks: number;
}

/** Raw readings of a host; the owner makes rates of them. */
export interface Usage {
  /** CPU time so far, microseconds: of the thread, or of the process. */
  readonly cpu: number;
  readonly memory: number;
  readonly loopActive: number;
  readonly loopIdle: number;
  readonly at: number;
}

export interface HostControl {
  start(order: StartOrder, onPhase: (phase: StartPhase) => unknown): Promise<Started>;
  health(timeout: number): Promise<HealthStatus>;
  usage(): Usage;
  /** Bytes that it holds; without garbage when they are more than `limit`. */
  memory(limit: number): number;
  stop(order: StopOrder): Promise<{ failed: string[] }>;
}

/** What a shutdown hook is given. */
export interface ShutdownContext {
  /** Why: `stop`, `shutdown`, `restart`, `reload`, `signal` … */
  readonly reason: string;
  /** The signal that asked for it, if one did. */
  readonly signal: string | undefined;
}
