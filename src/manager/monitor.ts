// Health and metrics of one process: asks it, bounds the waiting, and turns raw readings into rates.
import { mostCpu, RateMeter, UNKNOWN } from '../runtime/rates.js';
import { callControl, type RunningProcess } from '../runtime/start.js';
import type { HealthCheckResult, HealthStatus, ProcessMetrics } from '../types.js';
import { answers } from './probe.js';
import type { ManagedProcess } from './managed-process.js';

/** Longest wait for readings, ms. */
const USAGE_TIMEOUT = 1_000;
/** Answers may need this much longer than the checks in them, ms. */
const HEALTH_SLACK = 500;

/** Percent of a core that one thread can use. */
const ONE_CORE = 100;

export class ProcessMonitor {
  #rates: RateMeter | undefined;
  #throttled = 0;
  #timer: NodeJS.Timeout | undefined;
  #level: HealthStatus['status'] = 'healthy';
  #startedAt = 0;

  constructor(private readonly process: ManagedProcess) {}

  started(running: RunningProcess): void {
    this.#throttled = 0;
    this.#rates = new RateMeter(this.process.isolation === 'worker' ? ONE_CORE : mostCpu());
    this.#startedAt = performance.now();
    void this.#usage(running);
    const interval = this.process.options.healthInterval ?? running.started.healthInterval;
    if (interval === undefined) return;
    this.#timer = setInterval(() => void this.health(), interval);
    this.#timer.unref();
  }

  stopped(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async health(): Promise<HealthStatus> {
    const status = await this.#ask();
    if (status.status !== this.#level) {
      this.#level = status.status;
      this.process.events.emit('health', status);
    }
    return status;
  }

  async #ask(): Promise<HealthStatus> {
    const { running, options, name } = this.process;
    if (!running) {
      const { status, downReason } = this.process;
      return unhealthy({ name: 'process', status: 'fail', message: `${name} is ${status}${downReason ? `: ${downReason.message}` : ''}` });
    }
    const { healthTimeout } = options;
    let report: HealthStatus | undefined;
    const asked = callControl(running.control, 'health', healthTimeout).then((answer) => (report = answer));
    asked.catch(() => {});
    if (!(await answers(Promise.race([asked, running.incarnation.exited]), healthTimeout + HEALTH_SLACK)) || !report) {
      this.process.client.hold();
      void this.process.probe();
      return unhealthy({ name: 'responsive', status: 'fail', message: `${name} gave no answer within ${healthTimeout + HEALTH_SLACK} ms` });
    }
    return options.maxCpu === undefined ? report : this.#withCpu(report, running, options.maxCpu);
  }

  async #withCpu(report: HealthStatus, running: RunningProcess, maxCpu: number): Promise<HealthStatus> {
    await this.#usage(running);
    const { cpu } = this.#rates?.rates ?? UNKNOWN;
    // One that is slowed down to its limit never uses more.
    const throttled = running.incarnation.throttled?.() ?? 0;
    const slowed = throttled > this.#throttled;
    this.#throttled = throttled;
    if (cpu <= maxCpu && !slowed) return report;
    const check: HealthCheckResult = { name: 'cpu', status: 'warn', message: `${cpu.toFixed(1)} % of a core, the limit is ${maxCpu} %${slowed ? ', to which it was slowed down' : ''}`, details: { cpu, maxCpu } };
    return { ...report, status: report.status === 'healthy' ? 'degraded' : report.status, checks: [...report.checks, check] };
  }

  async metrics(): Promise<ProcessMetrics> {
    const { running, client, meter, restarts } = this.process;
    if (running) await this.#usage(running);
    const measured = running ? this.#rates : undefined;
    const { cpu, loop, window } = measured?.rates ?? UNKNOWN;
    return {
      cpu,
      memory: measured?.last?.memory ?? 0,
      eventLoopUtilization: loop,
      rateWindow: window,
      ...meter.snapshot(),
      inFlight: client.inFlight,
      queued: client.queued,
      restarts,
      uptime: running ? performance.now() - this.#startedAt : 0,
    };
  }

  /** Takes new readings; keeps the old ones when the process does not answer in time. */
  async #usage(running: RunningProcess): Promise<void> {
    const rates = this.#rates;
    const asked = callControl(running.control, 'usage').then((now) => rates?.add(now));
    asked.catch(() => {});
    await answers(Promise.race([asked, running.incarnation.exited]), USAGE_TIMEOUT);
  }
}

const unhealthy = (check: HealthCheckResult): HealthStatus => ({ status: 'unhealthy', checks: [check], timestamp: Date.now() });
