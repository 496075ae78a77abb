// What the launcher counts, as Prometheus text and as JSON. Names are those that dashboards of pattern launchers know.
// The exposition is written by hand: one documented name ends in `_total` without being a counter, which Prometheus' own linter
// accepts of an untyped metric only, and prom-client has none. The same numbers stand in `pattern_launcher_processes`, a gauge.
import { LEVEL_TITLES, type IsolationLevel } from './ids.js';

/** Durations that the percentiles are made of. */
const KEPT_DURATIONS = 1000;

export interface ProcessCounts {
  total: number;
  running: number;
  terminating: number;
  failed: number;
  /** By `None`, `Namespace`, `Session`. */
  isolation: Record<string, number>;
}

export interface ProcessUsage {
  readonly id: string;
  readonly pattern: string;
  /** Of this incarnation. */
  readonly cpuSeconds: number;
  /** Resident. */
  readonly memoryBytes: number;
}

export interface JsonMetrics {
  total_processes: number;
  running_processes: number;
  terminating_processes: number;
  failed_processes: number;
  isolation_distribution: Record<string, number>;
  process_starts_total: Record<string, number>;
  process_stops_total: Record<string, number>;
  process_failures_total: Record<string, number>;
  process_restarts_total: Record<string, number>;
  health_check_success_total: Record<string, number>;
  health_check_failure_total: Record<string, number>;
  launch_duration_p50_seconds: number;
  launch_duration_p95_seconds: number;
  launch_duration_p99_seconds: number;
  /** By the id of the process. */
  process_cpu_seconds_total: Record<string, number>;
  process_resident_memory_bytes: Record<string, number>;
  uptime_seconds: number;
}

export type Counter = 'starts' | 'stops' | 'failures' | 'restarts';

export class LauncherMetrics {
  readonly #counters: Record<Counter, Map<string, number>> = { starts: new Map(), stops: new Map(), failures: new Map(), restarts: new Map() };
  readonly #checks = { success: new Map<string, number>(), failure: new Map<string, number>() };
  readonly #durations: number[] = [];
  #durationSum = 0;
  #durationCount = 0;

  constructor(private readonly counts: () => ProcessCounts, private readonly uptimeMs: () => number, private readonly usage: () => readonly ProcessUsage[] = () => []) {}

  count(counter: Counter, pattern: string, level: IsolationLevel): void {
    bump(this.#counters[counter], `${pattern}:${LEVEL_TITLES[level]}`);
  }

  healthCheck(pattern: string, ok: boolean): void {
    bump(this.#checks[ok ? 'success' : 'failure'], pattern);
  }

  launched(ms: number): void {
    this.#durations.push(ms);
    if (this.#durations.length > KEPT_DURATIONS) this.#durations.shift();
    this.#durationSum += ms;
    this.#durationCount++;
  }

  /** Of the last 1000 launches, in seconds. */
  percentile(p: number): number {
    const sorted = this.#durations.toSorted((a, b) => a - b);
    return (sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))] ?? 0) / 1000;
  }

  json(): JsonMetrics {
    const { total, running, terminating, failed, isolation } = this.counts();
    const { starts, stops, failures, restarts } = this.#counters;
    const usage = this.usage();
    return {
      total_processes: total,
      running_processes: running,
      terminating_processes: terminating,
      failed_processes: failed,
      isolation_distribution: isolation,
      process_starts_total: Object.fromEntries(starts),
      process_stops_total: Object.fromEntries(stops),
      process_failures_total: Object.fromEntries(failures),
      process_restarts_total: Object.fromEntries(restarts),
      health_check_success_total: Object.fromEntries(this.#checks.success),
      health_check_failure_total: Object.fromEntries(this.#checks.failure),
      launch_duration_p50_seconds: this.percentile(50),
      launch_duration_p95_seconds: this.percentile(95),
      launch_duration_p99_seconds: this.percentile(99),
      process_cpu_seconds_total: Object.fromEntries(usage.map(({ id, cpuSeconds }) => [id, cpuSeconds])),
      process_resident_memory_bytes: Object.fromEntries(usage.map(({ id, memoryBytes }) => [id, memoryBytes])),
      uptime_seconds: Math.floor(this.uptimeMs() / 1000),
    };
  }

  prometheus(): string {
    const counts = this.counts();
    const out: string[] = [];
    const metric = (name: string, type: string, help: string, samples: readonly [suffix: string, value: number][]) => {
      const full = `pattern_launcher_${name}`;
      out.push(`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, ...samples.map(([suffix, value]) => `${full}${suffix} ${value}`));
    };
    const by = (label: string, values: Iterable<[string, number]>) => Array.from(values, ([key, value]): [string, number] => [`{${label}="${escapeLabel(key)}"}`, value]);
    const states = by('state', [['running', counts.running], ['terminating', counts.terminating], ['failed', counts.failed]]);
    metric('processes_total', 'untyped', 'Total number of processes', states);
    metric('processes', 'gauge', 'Number of processes by state', states);
    metric('isolation_level', 'gauge', 'Number of processes by isolation level', by('level', Object.entries(counts.isolation)));
    metric('process_starts_total', 'counter', 'Total process starts', by('pattern_isolation', this.#counters.starts));
    metric('process_stops_total', 'counter', 'Total process stops', by('pattern_isolation', this.#counters.stops));
    metric('process_failures_total', 'counter', 'Total process failures', by('pattern_isolation', this.#counters.failures));
    metric('process_restarts_total', 'counter', 'Total process restarts', by('pattern_isolation', this.#counters.restarts));
    metric('health_checks_total', 'counter', 'Total health checks', Object.entries(this.#checks).flatMap(([result, patterns]) => Array.from(patterns, ([pattern, value]): [string, number] => [`{pattern="${escapeLabel(pattern)}",result="${result}"}`, value])));
    metric('launch_duration_seconds', 'summary', 'Launch duration percentiles', [
      ...[50, 95, 99].map((p): [string, number] => [`{quantile="${p / 100}"}`, this.percentile(p)]),
      ['_sum', this.#durationSum / 1000],
      ['_count', this.#durationCount],
    ]);
    const usage = this.usage();
    const ofProcess = (value: (one: ProcessUsage) => number) => usage.map((one): [string, number] => [`{pattern="${escapeLabel(one.pattern)}",process_id="${escapeLabel(one.id)}"}`, value(one)]);
    metric('process_cpu_seconds_total', 'counter', 'CPU time of a process and all that it has started', ofProcess(({ cpuSeconds }) => cpuSeconds));
    metric('process_resident_memory_bytes', 'gauge', 'Resident memory of a process and all that it has started', ofProcess(({ memoryBytes }) => memoryBytes));
    metric('uptime_seconds', 'gauge', 'Launcher uptime in seconds', [['', Math.floor(this.uptimeMs() / 1000)]]);
    return `${out.join('\n')}\n`;
  }
}

const bump = (map: Map<string, number>, key: string): void => void map.set(key, (map.get(key) ?? 0) + 1);
const escapeLabel = (value: string): string => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
