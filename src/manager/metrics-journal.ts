// Remembers what the supervisor measured until somebody asks for it: prom-client is loaded by the first who does.
// Invariant: nothing is lost, and what is remembered stays small: many entries load the collector, too; without prom-client, which
// is optional, nothing is remembered from then on.
import { PackageMissingError } from '../errors.js';
import type { ForgetfulCollector, MetricsCollector } from '../supervisor/metrics.js';
import type { PrometheusCollector } from '../supervisor/prometheus.js';

type Hooks = MetricsCollector & ForgetfulCollector;
type Measurement = { [Hook in keyof Hooks]: [hook: Hook, ...args: Parameters<Hooks[Hook]>] }[keyof Hooks];

/** So many entries are poured into a collector, asked or not. */
const LIMIT = 5_000;

export class MetricsJournal implements Hooks {
  readonly #entries = new Map<string, Measurement[]>();
  #depth = 0;
  #size = 0;
  #useless = false;
  #collector: PrometheusCollector | undefined;
  #loading: Promise<PrometheusCollector> | undefined;

  /** The collector, with all that was measured so far. */
  collector(): Promise<PrometheusCollector> {
    return (this.#loading ??= this.#load().catch((error: unknown) => {
      // The next one to ask hears why, and whatever else went wrong may pass.
      this.#loading = undefined;
      if (error instanceof PackageMissingError) this.#entries.clear();
      this.#useless = error instanceof PackageMissingError;
      throw error;
    }));
  }

  processStateTransition(...args: Parameters<Hooks['processStateTransition']>): void {
    this.#note(['processStateTransition', ...args]);
  }
  processSyncDuration(...args: Parameters<Hooks['processSyncDuration']>): void {
    this.#note(['processSyncDuration', ...args]);
  }
  processTerminationDuration(...args: Parameters<Hooks['processTerminationDuration']>): void {
    this.#note(['processTerminationDuration', ...args]);
  }
  processError(...args: Parameters<Hooks['processError']>): void {
    this.#note(['processError', ...args]);
  }
  processRestart(...args: Parameters<Hooks['processRestart']>): void {
    this.#note(['processRestart', ...args]);
  }
  workQueueAdd(...args: Parameters<Hooks['workQueueAdd']>): void {
    this.#note(['workQueueAdd', ...args]);
  }
  workQueueRetry(...args: Parameters<Hooks['workQueueRetry']>): void {
    this.#note(['workQueueRetry', ...args]);
  }
  workQueueBackoffDuration(...args: Parameters<Hooks['workQueueBackoffDuration']>): void {
    this.#note(['workQueueBackoffDuration', ...args]);
  }

  workQueueDepth(depth: number): void {
    this.#depth = depth;
    this.#collector?.workQueueDepth(depth);
  }

  processForgotten(id: string): void {
    this.#size -= this.#entries.get(id)?.length ?? 0;
    this.#entries.delete(id);
    this.#collector?.processForgotten(id);
  }

  #note(measurement: Measurement): void {
    if (this.#collector) return tell(this.#collector, measurement);
    if (this.#useless) return;
    const id = measurement[1] as string;
    const known = this.#entries.get(id);
    if (known) known.push(measurement);
    else this.#entries.set(id, [measurement]);
    if (++this.#size === LIMIT) this.collector().catch(() => {});
  }

  async #load(): Promise<PrometheusCollector> {
    const { createPrometheusCollector } = await import('../supervisor/prometheus.js');
    const collector = await createPrometheusCollector();
    for (const measurements of this.#entries.values()) for (const measurement of measurements) tell(collector, measurement);
    this.#entries.clear();
    collector.workQueueDepth(this.#depth);
    return (this.#collector = collector);
  }
}

function tell(collector: PrometheusCollector, [hook, ...args]: Measurement): void {
  (collector[hook] as (...args: unknown[]) => void)(...args);
}
