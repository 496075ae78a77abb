// The health report of a supervisor: plain data, ready for JSON.
import type { Phase } from './lifecycle.js';
import { isFailed, type EndReason, type ProcessStatus } from './status.js';

export interface ProcessHealth {
  state: Phase;
  healthy: boolean;
  /** Milliseconds. */
  uptime: number;
  /** Milliseconds since 1970. */
  lastSync?: number;
  errorCount: number;
  restartCount: number;
  lastError?: string;
  endReason?: EndReason;
}

export interface HealthReport {
  /** All units in the table, Finished ones included. */
  totalProcesses: number;
  /** In phase Syncing. */
  runningProcesses: number;
  /** In phase Terminating. */
  terminatingProcesses: number;
  /** Given up by their restart policy, or with more than 5 failures in a row. */
  failedProcesses: number;
  workQueueDepth: number;
  processes: Record<string, ProcessHealth>;
}

export function healthReport(statuses: Iterable<ProcessStatus>, workQueueDepth: number): HealthReport {
  const report: Omit<HealthReport, 'processes'> = { totalProcesses: 0, runningProcesses: 0, terminatingProcesses: 0, failedProcesses: 0, workQueueDepth };
  const processes: [string, ProcessHealth][] = [];
  for (const status of statuses) {
    report.totalProcesses++;
    if (status.state === 'Syncing') report.runningProcesses++;
    if (status.state === 'Terminating') report.terminatingProcesses++;
    if (isFailed(status)) report.failedProcesses++;
    processes.push([status.id, {
      state: status.state,
      healthy: status.healthy,
      uptime: status.uptime,
      ...(status.lastSync !== undefined && { lastSync: status.lastSync }),
      errorCount: status.errorCount,
      restartCount: status.restartCount,
      ...(status.lastError && { lastError: status.lastError.message }),
      ...(status.endReason && { endReason: status.endReason }),
    }]);
  }
  // Not by assignment: an id may be `__proto__`.
  return { ...report, processes: Object.fromEntries(processes) };
}
