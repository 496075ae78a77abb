// The nine hooks as Prometheus series, with procmgr's names and help texts. prom-client is loaded only when one is made.
// Series of a unit are dropped when the supervisor forgets the unit.
import type { Counter, Gauge, Histogram } from 'prom-client';
import { missingFor, type PrometheusRegistry } from '../optional.js';
import { PHASES, TRANSITIONS } from './lifecycle.js';
import type { ForgetfulCollector, MetricsCollector } from './metrics.js';
import { refuseUnknown } from './options.js';

export interface PrometheusOptions {
  /** The prefix of all names, without the underscore (default `procmgr`). */
  namespace?: string;
  /** Where to register (default: a registry of its own). */
  registry?: PrometheusRegistry;
}

export interface PrometheusCollector extends MetricsCollector, ForgetfulCollector {
  readonly registry: PrometheusRegistry;
  readonly contentType: string;
  /** The exposition, as an HTTP handler would answer it. */
  exposition(): Promise<string>;
}

const DEFAULT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const BACKOFF_BUCKETS = [0.1, 0.5, 1, 2, 5, 10, 30, 60];
const UPDATE_TYPES = ['create', 'update', 'sync', 'terminate'];
const STATUSES = ['success', 'error'];
const ERROR_TYPES = ['sync_error', 'termination_error', 'cleanup_error'];
const seconds = (ms: number) => ms / 1000;

/** A collector for `new Supervisor({ metrics })`. */
export async function createPrometheusCollector(options: PrometheusOptions = {}): Promise<PrometheusCollector> {
  refuseUnknown(options, ['namespace', 'registry'], 'createPrometheusCollector');
  const prom = (await import('prom-client').catch(missingFor('metrics in the Prometheus format'))).default;
  const registry = options.registry ?? new prom.Registry();
  const prefix = `${options.namespace ?? 'procmgr'}_`;
  const base = <Labels extends string>(name: string, help: string, labelNames: readonly Labels[]) => ({ name: prefix + name, help, labelNames, registers: [registry] });

  // Labels stand in alphabetical order, as in Go's exposition.
  const transitions: Counter<'from_state' | 'process_id' | 'to_state'> = new prom.Counter(base('process_state_transitions_total', 'Total number of process state transitions', ['from_state', 'process_id', 'to_state']));
  const syncs: Histogram<'process_id' | 'status' | 'update_type'> = new prom.Histogram({ ...base('process_sync_duration_seconds', 'Duration of process sync operations', ['process_id', 'status', 'update_type']), buckets: DEFAULT_BUCKETS });
  const terminations: Histogram<'process_id'> = new prom.Histogram({ ...base('process_termination_duration_seconds', 'Duration of process termination operations', ['process_id']), buckets: DEFAULT_BUCKETS });
  const errors: Counter<'error_type' | 'process_id'> = new prom.Counter(base('process_errors_total', 'Total number of process errors', ['error_type', 'process_id']));
  const restarts: Counter<'process_id'> = new prom.Counter(base('process_restarts_total', 'Total number of process restarts', ['process_id']));
  const depthGauge: Gauge = new prom.Gauge(base('work_queue_depth', 'Current depth of the work queue', []));
  const adds: Counter<'process_id'> = new prom.Counter(base('work_queue_adds_total', 'Total number of items added to work queue', ['process_id']));
  const retries: Counter<'process_id'> = new prom.Counter(base('work_queue_retries_total', 'Total number of work queue retry operations', ['process_id']));
  const backoffs: Histogram<'process_id'> = new prom.Histogram({ ...base('work_queue_backoff_duration_seconds', 'Duration of backoff delays for failed processes', ['process_id']), buckets: BACKOFF_BUCKETS });

  return {
    registry,
    contentType: registry.contentType,
    exposition: () => registry.metrics(),
    processStateTransition: (id, from, to) => transitions.inc({ from_state: from, process_id: id, to_state: to }),
    processSyncDuration: (id, updateType, duration, error) => syncs.observe({ process_id: id, status: error ? 'error' : 'success', update_type: updateType }, seconds(duration)),
    processTerminationDuration: (id, duration) => terminations.observe({ process_id: id }, seconds(duration)),
    processError: (id, errorType) => errors.inc({ error_type: errorType, process_id: id }),
    processRestart: (id) => restarts.inc({ process_id: id }),
    workQueueDepth: (depth) => depthGauge.set(depth),
    workQueueAdd: (id) => adds.inc({ process_id: id }),
    workQueueRetry: (id) => retries.inc({ process_id: id }),
    workQueueBackoffDuration: (id, duration) => backoffs.observe({ process_id: id }, seconds(duration)),
    processForgotten(id) {
      for (const from of PHASES) for (const to of TRANSITIONS[from]) transitions.remove({ from_state: from, process_id: id, to_state: to });
      for (const update_type of UPDATE_TYPES) for (const status of STATUSES) syncs.remove({ process_id: id, status, update_type });
      for (const error_type of ERROR_TYPES) errors.remove({ error_type, process_id: id });
      for (const metric of [terminations, restarts, adds, retries, backoffs]) metric.remove({ process_id: id });
    },
  };
}
