// What the supervisor measures: nine hooks, of which a collector implements those that it wants.
// A collector that throws loses its measurement and nothing else. Durations are milliseconds.
import { guarded, type ErrorSink } from './emitter.js';
import type { Phase } from './lifecycle.js';
import type { UpdateType } from './syncer.js';

export type ProcessErrorType = 'sync_error' | 'termination_error' | 'cleanup_error';

export interface MetricsCollector {
  processStateTransition(id: string, from: Phase, to: Phase): void;
  processSyncDuration(id: string, updateType: UpdateType, duration: number, error: Error | undefined): void;
  processTerminationDuration(id: string, duration: number): void;
  processError(id: string, errorType: ProcessErrorType): void;
  processRestart(id: string): void;
  workQueueDepth(depth: number): void;
  workQueueAdd(id: string, delay: number): void;
  workQueueRetry(id: string): void;
  workQueueBackoffDuration(id: string, duration: number): void;
}

/** Beside the nine: a collector that keeps a series for each id drops it here, or grows for ever. */
export interface ForgetfulCollector {
  processForgotten(id: string): void;
}

export type AnyCollector = Partial<MetricsCollector & ForgetfulCollector>;

const HOOKS: readonly (keyof (MetricsCollector & ForgetfulCollector))[] = [
  'processStateTransition', 'processSyncDuration', 'processTerminationDuration', 'processError', 'processRestart',
  'workQueueDepth', 'workQueueAdd', 'workQueueRetry', 'workQueueBackoffDuration', 'processForgotten',
];

/** `collector` with all hooks present and harmless. */
export function guardCollector(collector: AnyCollector, onError: ErrorSink): MetricsCollector & ForgetfulCollector {
  const safe: Record<string, (...args: never[]) => void> = {};
  for (const hook of HOOKS) {
    safe[hook] = (...args) => {
      // Looked up at each call: collectors may be swapped or spied on while the supervisor runs.
      const own = collector[hook] as ((...args: never[]) => void) | undefined;
      if (own) guarded(`the metrics hook ${hook}`, onError, () => own.apply(collector, args));
    };
  }
  return safe as unknown as MetricsCollector & ForgetfulCollector;
}
