// What can be known of a launched process from outside: plain data.
import type { IsolationLevel } from './ids.js';
import type { LaunchedProcess } from './launched-process.js';

export type ProcessState = 'STARTING' | 'RUNNING' | 'TERMINATING' | 'TERMINATED' | 'FAILED' | 'FINISHED';

export interface ProcessInfo {
  processId: string;
  pattern: string;
  version: string;
  state: ProcessState;
  /** `localhost:<GRPC_PORT>`. */
  address: string;
  grpcPort: number | undefined;
  healthPort: number | undefined;
  healthy: boolean;
  isolation: IsolationLevel;
  namespace: string;
  session: string;
  pid: number | undefined;
  uptimeSeconds: number;
  /** Failures in a row. */
  errorCount: number;
  restartCount: number;
  lastError: string;
  lastErrorCode: string;
}

export interface ProcessFilter {
  pattern?: string | undefined;
  namespace?: string | undefined;
  state?: ProcessState | undefined;
}

export interface HealthReport {
  healthy: boolean;
  totalProcesses: number;
  runningProcesses: number;
  terminatingProcesses: number;
  failedProcesses: number;
  isolationDistribution: Record<string, number>;
  uptimeSeconds: number;
}

export function processInfo(process: LaunchedProcess, state: ProcessState, restartCount: number, now: number): ProcessInfo {
  const { id, key, manifest, lastError, upSince, ports } = process;
  return {
    processId: id,
    pattern: key.pattern,
    version: manifest.version,
    state,
    address: state === 'FAILED' || !ports ? '' : `localhost:${ports.grpc}`,
    grpcPort: ports?.grpc,
    healthPort: ports?.health,
    healthy: state === 'RUNNING' && process.healthy,
    isolation: key.level,
    namespace: key.namespace ?? '',
    session: key.session ?? '',
    pid: process.pid,
    uptimeSeconds: upSince === undefined ? 0 : Math.floor((now - upSince) / 1000),
    errorCount: process.errors,
    restartCount,
    lastError: lastError?.message ?? '',
    lastErrorCode: lastError?.code ?? '',
  };
}

export const matches = (info: ProcessInfo, { pattern, namespace, state }: ProcessFilter): boolean =>
  (!pattern || info.pattern === pattern) && (!namespace || info.namespace === namespace) && (!state || info.state === state);
