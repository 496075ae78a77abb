// One report over many processes.
import { worst } from '../runtime/health-checks.js';
import type { HealthStatus } from '../types.js';

export interface HasHealth {
  readonly name: string;
  health(): Promise<HealthStatus>;
}

/** The worst level counts; each check is named after its process. */
export async function aggregateHealth(members: readonly HasHealth[]): Promise<HealthStatus> {
  const reports = await Promise.all(members.map(async (member) => ({ name: member.name, report: await member.health() })));
  return {
    status: worst(reports.map(({ report }) => report.status)),
    checks: reports.flatMap(({ name, report }) => report.checks.map((check) => ({ ...check, name: `${name}.${check.name}` }))),
    timestamp: Date.now(),
  };
}
