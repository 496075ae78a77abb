// Looks at a thing again and again, in the time of a clock: first until it is well, then for as long as it shall be watched.
// One look at a time; nothing is told after `stop()`.
import { MAX_TIMEOUT } from '../units.js';
import { ProbeState, runCheck, type Check, type CheckResult, type ProbeStatus, type ProbeTimes } from './probes.js';

/** The part of the supervisor's Clock that is needed here; this layer stands below it. */
export interface ProberClock {
  setTimeout(callback: () => void, ms: number, options?: { unref?: boolean | undefined }): object;
  clearTimeout(timer: object): void;
}

const realTime: ProberClock = {
  setTimeout(callback, ms, options) {
    const timer = setTimeout(callback, Math.min(ms, MAX_TIMEOUT));
    if (options?.unref) timer.unref();
    return timer;
  },
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
};

export interface ProberOptions {
  readonly check: Check;
  readonly times: ProbeTimes;
  readonly clock?: ProberClock | undefined;
  /** Instead of looking at the real thing. */
  readonly look?: ((check: Check, timeout: number, signal: AbortSignal) => Promise<CheckResult>) | undefined;
  /** Hears of each look. */
  readonly onResult?: ((result: CheckResult, status: ProbeStatus) => void) | undefined;
  /** Hears when it becomes well or ill, with what was seen last. */
  readonly onChange?: ((status: ProbeStatus, last: CheckResult) => void) | undefined;
}

export class Prober {
  readonly #options: ProberOptions;
  readonly #clock: ProberClock;
  readonly #state: ProbeState;
  readonly #abort = new AbortController();
  #timer: object | undefined;
  #deadline: object | undefined;
  #last: CheckResult = { ok: false, message: 'it was not looked at yet' };
  #looking: Promise<void> | undefined;
  #ready: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #stopped = false;

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#clock = options.clock ?? realTime;
    this.#state = new ProbeState(options.times);
  }

  get status(): ProbeStatus {
    return this.#state.status;
  }

  /**
   * Begins to look; resolves when it is well for the first time. Watching goes on until `stop()`. Call it once.
   * @throws an Error with what was seen last when it is not well within `startupTimeout`; the reason of `signal` when that aborts
   */
  start(signal?: AbortSignal): Promise<void> {
    const { times, check } = this.#options;
    const ready = new Promise<void>((resolve, reject) => (this.#ready = { resolve, reject }));
    if (signal?.aborted) this.#fail(signal.reason as Error);
    // A line that came before said so already.
    else if (this.#state.status === 'healthy') this.#endStartup()?.resolve();
    else {
      const onAbort = () => this.#fail(signal!.reason as Error);
      signal?.addEventListener('abort', onAbort, { once: true });
      ready.finally(() => signal?.removeEventListener('abort', onAbort)).catch(() => {});
      this.#deadline = this.#clock.setTimeout(() => this.#fail(new Error(`health check timeout after ${times.startupTimeout / 1000}s; last: ${this.#last.message}`)), times.startupTimeout);
      if (check.type === 'log') this.#last = { ok: false, message: `no line matched ${String(check.pattern)} yet` };
      else this.#schedule(times.initialDelay);
    }
    return ready;
  }

  /** A line that the thing printed, for a `log` check. */
  line(text: string): void {
    const { check } = this.#options;
    if (check.type === 'log' && this.#state.status === 'starting' && check.pattern.test(text)) this.#observe({ ok: true, message: `it printed ${JSON.stringify(text)}` });
  }

  /** Looks now instead of at its time, if its times are further apart than `interval` ms. Nothing while it is not well for the first time, or is being looked at. */
  lookNow(interval: number): void {
    if (this.#stopped || this.#ready || this.#looking || !this.#timer || this.#options.times.interval <= interval) return;
    this.#clock.clearTimeout(this.#timer);
    this.#begin();
  }

  /** Resolves when no look is under way. */
  async ended(): Promise<void> {
    await this.#looking;
  }

  stop(reason: Error = new DOMException('the watching was stopped', 'AbortError')): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#abort.abort(reason);
    if (this.#timer) this.#clock.clearTimeout(this.#timer);
    this.#endStartup()?.reject(reason);
  }

  #fail(error: Error): void {
    if (this.#ready) this.stop(error);
  }

  #endStartup() {
    const ready = this.#ready;
    this.#ready = undefined;
    if (this.#deadline) this.#clock.clearTimeout(this.#deadline);
    this.#deadline = undefined;
    return ready;
  }

  #schedule(ms: number): void {
    this.#timer = this.#clock.setTimeout(() => this.#begin(), ms, { unref: this.#ready === undefined });
  }

  #begin(): void {
    this.#looking = this.#look().finally(() => (this.#looking = undefined));
  }

  async #look(): Promise<void> {
    const { check, times, look = runCheck } = this.#options;
    const result = await look(check, times.timeout, this.#abort.signal).catch((error: unknown): CheckResult => ({ ok: false, message: String(error) }));
    if (this.#stopped) return;
    this.#observe(result);
    if (!this.#stopped) this.#schedule(this.#state.status === 'starting' ? times.startupInterval : times.interval);
  }

  #observe(result: CheckResult): void {
    this.#last = result;
    const changed = this.#state.observe(result.ok);
    this.#options.onResult?.(result, this.#state.status);
    // Who hears of the result may have ended the watching.
    if (this.#stopped) return;
    if (changed === 'healthy') this.#endStartup()?.resolve();
    if (changed) this.#options.onChange?.(changed, result);
  }
}
