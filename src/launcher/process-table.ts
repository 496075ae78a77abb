// The launched processes by id, and what can be said of them: the supervisor knows the phase, the process itself the rest.
import { groupUsage } from '../runtime/group-usage.js';
import type { Clock } from '../supervisor/clock.js';
import type { ProcessStatus } from '../supervisor/status.js';
import { LauncherError } from './errors.js';
import { LEVEL_TITLES } from './ids.js';
import type { LaunchedProcess } from './launched-process.js';
import type { ProcessCounts, ProcessUsage } from './metrics.js';
import { matches, processInfo, type ProcessFilter, type ProcessInfo, type ProcessState } from './report.js';

export class ProcessTable {
  readonly #processes = new Map<string, LaunchedProcess>();

  constructor(private readonly statusOf: (id: string) => ProcessStatus | undefined, private readonly clock: Clock) {}

  get size(): number {
    return this.#processes.size;
  }

  all(): LaunchedProcess[] {
    return [...this.#processes.values()];
  }

  peek(id: string): LaunchedProcess | undefined {
    return this.#processes.get(id);
  }

  /** @throws LauncherError PROCESS_NOT_FOUND */
  get(id: string): LaunchedProcess {
    const found = this.#processes.get(id);
    if (found) return found;
    throw new LauncherError('PROCESS_NOT_FOUND', `process not found: ${id}`, { context: { process: id } });
  }

  add(process: LaunchedProcess): void {
    this.#processes.set(process.id, process);
  }

  /** Unless another has taken its place. */
  remove(process: LaunchedProcess): void {
    if (this.#processes.get(process.id) === process) this.#processes.delete(process.id);
  }

  clear(): void {
    this.#processes.clear();
  }

  /** It runs, or somebody is at work to make it run. */
  isAlive(process: LaunchedProcess): boolean {
    const state = this.statusOf(process.id)?.state;
    return process.awaited || (!process.ended && (state === 'Starting' || state === 'Syncing'));
  }

  stateOf(process: LaunchedProcess): ProcessState {
    if (process.exhausted) return 'FAILED';
    if (process.awaited) return 'STARTING';
    switch (this.statusOf(process.id)?.state) {
      case 'Terminating':
        return 'TERMINATING';
      case 'Terminated':
        return 'TERMINATED';
      case 'Finished':
        return 'FINISHED';
      default:
        return process.up ? 'RUNNING' : 'STARTING';
    }
  }

  info(process: LaunchedProcess): ProcessInfo {
    return processInfo(process, this.stateOf(process), this.statusOf(process.id)?.restartCount ?? 0, this.clock.now());
  }

  list(filter: ProcessFilter): ProcessInfo[] {
    return this.all().map((process) => this.info(process)).filter((info) => matches(info, filter));
  }

  /** Of those that run, with all that they have started. Nobody where there is no `/proc`. */
  usage(): ProcessUsage[] {
    return this.all().flatMap((process) => {
      const used = process.pid === undefined ? undefined : groupUsage(process.pid);
      return used ? [{ id: process.id, pattern: process.key.pattern, cpuSeconds: used.cpu / 1000, memoryBytes: used.memory }] : [];
    });
  }

  counts(): ProcessCounts {
    const counts: ProcessCounts = { total: 0, running: 0, terminating: 0, failed: 0, isolation: {} };
    for (const process of this.#processes.values()) {
      const state = this.stateOf(process);
      counts.total++;
      if (state === 'RUNNING') counts.running++;
      if (state === 'TERMINATING') counts.terminating++;
      if (state === 'FAILED') counts.failed++;
      const title = LEVEL_TITLES[process.key.level];
      counts.isolation[title] = (counts.isolation[title] ?? 0) + 1;
    }
    return counts;
  }
}
