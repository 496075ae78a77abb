// Counts and latency of calls, per method, recorded in place in HDR histograms (perf_hooks) of microseconds.
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { Latency, MethodMetrics } from '../types.js';

const HIGHEST_MICROSECONDS = 3_600_000_000;
const newHistogram = () => createHistogram({ lowest: 1, highest: HIGHEST_MICROSECONDS, figures: 2 });

export class MethodMeter {
  requests = 0;
  errors = 0;
  deaths = 0;
  readonly histogram: RecordableHistogram = newHistogram();

  record(milliseconds: number, failed: boolean): void {
    this.requests++;
    if (failed) this.errors++;
    const microseconds = Math.round(milliseconds * 1000);
    this.histogram.record(microseconds < 1 ? 1 : microseconds > HIGHEST_MICROSECONDS ? HIGHEST_MICROSECONDS : microseconds);
  }

  snapshot(): MethodMetrics {
    return { requests: this.requests, errors: this.errors, deaths: this.deaths, latency: latencyOf(this.histogram) };
  }
}

export class Meter {
  readonly #methods = new Map<string, MethodMeter>();
  #deaths = 0;

  method(name: string): MethodMeter {
    let meter = this.#methods.get(name);
    if (!meter) this.#methods.set(name, (meter = new MethodMeter()));
    return meter;
  }

  /** Calls of the method that got a result. */
  answered(name: string): number {
    const meter = this.#methods.get(name);
    return meter ? meter.requests - meter.errors : 0;
  }

  /** What it counts has died, with calls of `methods` that may have ended it; answers those. */
  died(methods: readonly string[]): readonly string[] {
    this.#deaths++;
    for (const name of methods) this.method(name).deaths++;
    return methods;
  }

  /** Adds what `other` has counted: it counts no more. */
  absorb(other: Meter): void {
    this.#deaths += other.#deaths;
    for (const [name, own] of other.#methods) {
      const total = this.method(name);
      total.requests += own.requests;
      total.errors += own.errors;
      total.deaths += own.deaths;
      if (own.histogram.count > 0) total.histogram.add(own.histogram);
    }
  }

  snapshot(): MethodMetrics & { methods: Record<string, MethodMetrics> } {
    return Meter.merge([this]);
  }

  /** One report over several meters: the replicas of a pool. */
  static merge(meters: Iterable<Meter>): MethodMetrics & { methods: Record<string, MethodMetrics> } {
    const all = newHistogram();
    const merged = new Map<string, MethodMeter>();
    let requests = 0;
    let errors = 0;
    let deaths = 0;
    for (const meter of meters) {
      deaths += meter.#deaths;
      for (const [name, own] of meter.#methods) {
        if (own.requests + own.deaths === 0) continue;
        let total = merged.get(name);
        if (!total) merged.set(name, (total = new MethodMeter()));
        total.requests += own.requests;
        total.errors += own.errors;
        total.deaths += own.deaths;
        requests += own.requests;
        errors += own.errors;
        if (own.histogram.count === 0) continue;
        total.histogram.add(own.histogram);
        all.add(own.histogram);
      }
    }
    const methods = Object.fromEntries(Array.from(merged, ([name, meter]) => [name, meter.snapshot()]));
    return { requests, errors, deaths, latency: latencyOf(all), methods };
  }
}

function latencyOf(histogram: RecordableHistogram): Latency {
  if (histogram.count === 0) return { p50: 0, p95: 0, p99: 0, mean: 0, max: 0 };
  return {
    p50: histogram.percentile(50) / 1000,
    p95: histogram.percentile(95) / 1000,
    p99: histogram.percentile(99) / 1000,
    mean: histogram.mean / 1000,
    max: histogram.max / 1000,
  };
}
