// What a manager gives and takes for its processes, and what it tells about all of them at once. Types, and one list.
import type { HealthReport } from '../supervisor/health.js';
import type { PoolHandle } from '../pool/pool-handle.js';
import type { ProcessEvents, ProcessInfo, ProcessMetrics, Remote } from '../types.js';

/** A process: its id, or its proxy. */
export type ProcessRef = string | object;

/** The typed proxy of a pool. */
export type RemotePool<T> = Remote<T, PoolHandle>;

/** Every event of every process, with its id. */
export type ManagerEvents = { [E in keyof ProcessEvents]: ProcessEvents[E] & { id: string; name: string } } & {
  spawn: { id: string; name: string; file: string };
};
/** What `metricsJson()` gives. */
export interface ManagerMetrics {
  /** Milliseconds since 1970. */
  timestamp: number;
  supervisor: HealthReport;
  processes: (ProcessInfo & { metrics: ProcessMetrics })[];
}

/** Events of processes that the manager has as its own. */
export const FORWARDED: readonly (keyof ProcessEvents)[] = ['ready', 'crash', 'restart', 'stop', 'failed', 'health', 'log', 'status'];
