// Runs every @HealthCheck of an instance, each under its own deadline, and makes one report of them. User checks are kept as they are.
import { isError } from '../errors.js';
import type { HealthCheckSpec } from '../decorators/index.js';
import type { HealthCheckResult, HealthLevel, HealthStatus } from '../types.js';
import { within } from './within.js';

const LEVELS: readonly HealthLevel[] = ['healthy', 'degraded', 'unhealthy'];

export const worst = (levels: Iterable<HealthLevel>): HealthLevel => LEVELS[Math.max(0, ...Array.from(levels, (level) => LEVELS.indexOf(level)))]!;

export async function runHealthChecks(instance: object, specs: readonly HealthCheckSpec[], timeout: number): Promise<HealthStatus> {
  const reports = await Promise.all(specs.map((spec) => runOne(instance, spec, spec.timeout ?? timeout)));
  return { status: worst(reports.map(({ status }) => status)), checks: reports.flatMap(({ checks }) => checks), timestamp: Date.now() };
}

async function runOne(instance: object, { method }: HealthCheckSpec, timeout: number): Promise<HealthStatus> {
  try {
    let result: unknown;
    const check = (instance as Record<string, () => unknown>)[method]!;
    const run = (async () => (result = await check.call(instance)))();
    if (await within(run, timeout)) return normalize(method, result);
    return failed(method, `no answer within ${timeout} ms`);
  } catch (error) {
    return failed(method, isError(error) ? error.message : String(error));
  }
}

const failed = (name: string, message: string): HealthStatus => ({ status: 'unhealthy', checks: [{ name, status: 'fail', message }] });

/** A check may return a whole report, a boolean, or nothing (it did not throw, so all is well). */
function normalize(name: string, result: unknown): HealthStatus {
  if (result === undefined || result === true) return { status: 'healthy', checks: [{ name, status: 'pass' }] };
  if (result === false) return failed(name, 'returned false');
  const report = result as Partial<HealthStatus>;
  if (typeof report !== 'object' || report === null || !LEVELS.includes(report.status as HealthLevel)) {
    return failed(name, `returned ${JSON.stringify(result)}; return { status: 'healthy' | 'degraded' | 'unhealthy', checks: [...] }, a boolean, or nothing`);
  }
  const checks: HealthCheckResult[] = Array.isArray(report.checks) ? report.checks : [];
  return { status: report.status as HealthLevel, checks: checks.length > 0 ? checks : [{ name, status: report.status === 'healthy' ? 'pass' : report.status === 'degraded' ? 'warn' : 'fail' }] };
}
