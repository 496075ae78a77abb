// The manager's own series, beside those of its supervisor, in one prom-client registry: calls, latency, CPU, memory, restarts.
// Invariant: one scrape asks each process once, however many series come of it.
import type { PrometheusRegistry } from '../optional.js';
import type { MethodMetrics, ProcessInfo, ProcessMetrics } from '../types.js';

export interface MeasuredProcess {
  info(): ProcessInfo;
  metrics(): Promise<ProcessMetrics>;
}

interface Value { labels: Record<string, string | number>; value: number; metricName?: string }
interface Reading { info: ProcessInfo; metrics: ProcessMetrics }
interface Series {
  readonly name: string;
  readonly type: 'gauge' | 'counter' | 'summary';
  readonly help: string;
  values(reading: Reading): Value[];
}

const labelsOf = ({ id, name }: ProcessInfo) => ({ process: name, process_id: id });
const one = (name: string, type: 'gauge' | 'counter', help: string, read: (reading: Reading) => number): Series => ({ name, type, help, values: (reading) => [{ labels: labelsOf(reading.info), value: read(reading) }] });
const perMethod = (name: string, type: 'counter' | 'summary', help: string, read: (method: MethodMetrics, labels: Value['labels'], name: string) => Value[]): Series => ({
  name,
  type,
  help,
  values: ({ info, metrics }) => Object.entries(metrics.methods).flatMap(([method, own]) => read(own, { method, ...labelsOf(info) }, name)),
});

const SERIES: readonly Series[] = [
  one('mimas_process_up', 'gauge', 'Whether the process is up (1) or not (0)', ({ info }) => (info.status === 'running' ? 1 : 0)),
  one('mimas_process_restarts_total', 'counter', 'Total number of restarts of the process', ({ info }) => info.restarts),
  one('mimas_process_uptime_seconds', 'gauge', 'Time since the current incarnation became ready', ({ metrics }) => metrics.uptime / 1000),
  one('mimas_process_cpu_ratio', 'gauge', 'Share of one core used, over a second or more', ({ metrics }) => metrics.cpu / 100),
  one('mimas_process_memory_bytes', 'gauge', 'Heap and buffers of a thread, resident set of a process', ({ metrics }) => metrics.memory),
  one('mimas_process_event_loop_ratio', 'gauge', 'Share of time that the event loop was busy, over a second or more', ({ metrics }) => metrics.eventLoopUtilization),
  one('mimas_process_rate_window_seconds', 'gauge', 'Time that the two ratios are taken over; 0 while the process is too young for any', ({ metrics }) => metrics.rateWindow / 1000),
  one('mimas_calls_in_flight', 'gauge', 'Calls sent and not yet settled', ({ metrics }) => metrics.inFlight),
  one('mimas_calls_queued', 'gauge', 'Calls that wait for the process', ({ metrics }) => metrics.queued),
  perMethod('mimas_requests_total', 'counter', 'Total number of settled calls', ({ requests }, labels) => [{ labels, value: requests }]),
  perMethod('mimas_request_errors_total', 'counter', 'Total number of calls that failed', ({ errors }, labels) => [{ labels, value: errors }]),
  perMethod('mimas_method_deaths_total', 'counter', 'Total number of deaths of the process with a call of the method that may have ended it', ({ deaths }, labels) => [{ labels, value: deaths }]),
  perMethod('mimas_request_duration_seconds', 'summary', 'Time from sending a call to its answer', ({ requests, latency }, labels, name) => [
    { labels: { ...labels, quantile: 0.5 }, value: latency.p50 / 1000 },
    { labels: { ...labels, quantile: 0.95 }, value: latency.p95 / 1000 },
    { labels: { ...labels, quantile: 0.99 }, value: latency.p99 / 1000 },
    { metricName: `${name}_sum`, labels, value: (latency.mean * requests) / 1000 },
    { metricName: `${name}_count`, labels, value: requests },
  ]),
];

/** Adds the series of all processes that `processes` names at each scrape. */
export function registerProcesses(registry: PrometheusRegistry, processes: () => Iterable<MeasuredProcess>): void {
  let readings: Promise<Reading[]> | undefined;
  const read = () => (readings ??= Promise.all(Array.from(processes(), async (process) => ({ metrics: await process.metrics(), info: process.info() }))).finally(() => (readings = undefined)));
  for (const { name, type, help, values } of SERIES) {
    // What prom-client asks of a metric; its own classes count by themselves and cannot take over what was counted elsewhere.
    const metric = {
      name,
      help,
      type,
      aggregator: 'sum',
      reset() {},
      get: async () => ({ name, help, type, aggregator: 'sum', values: (await read()).flatMap(values) }),
    };
    registry.registerMetric(metric as unknown as Parameters<PrometheusRegistry['registerMetric']>[0]);
  }
}
