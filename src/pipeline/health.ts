// The health check of one replica, as the Prober understands it: ports by number, looks taken where the component runs.
import type { Check, CheckResult } from '../runtime/probes.js';
import { deadline } from '../runtime/deadline.js';
import { resolveProbeOptions, runCheck } from '../runtime/probes.js';
import { Prober, type ProberOptions } from '../runtime/prober.js';
import { linePattern } from './line-pattern.js';
import type { Component, HealthCheck } from './model.js';
import type { Running } from './orchestrator.js';

const LOCAL = ['localhost', '127.0.0.1', '::1', '0.0.0.0'];
/** Asked of a component that has no check of its own, but can say how it is. */
const OWN: Pick<HealthCheck, 'interval' | 'timeout' | 'startTimeout' | 'failureThreshold'> = { interval: 5_000, timeout: 2_000, startTimeout: 30_000, failureThreshold: 3 };

/** Undefined: nothing can be asked, and it counts as well for as long as it runs. */
export function proberFor(component: Component, running: Running, listen: Pick<ProberOptions, 'onChange'>): Prober | undefined {
  const health = component.healthCheck;
  if (!health && !running.health) return undefined;
  const { interval, timeout, startTimeout, failureThreshold } = health ?? OWN;
  const times = resolveProbeOptions({ interval, timeout, startupTimeout: startTimeout, failureThreshold });
  const check: Check = health ? checkOf(component, health, running) : { type: 'tcp', port: 0 };
  const look = health === undefined ? () => askItself(running) : check.type === 'exec' ? (one: Check, limit: number, signal: AbortSignal) => lookInside(one, limit, signal, running) : runCheck;
  return new Prober({ check, times, look, ...listen });
}

function checkOf(component: Component, { check }: HealthCheck, running: Running): Check {
  switch (check.kind) {
    case 'log':
      return { type: 'log', pattern: linePattern(check.pattern) };
    case 'exec':
      return { type: 'exec', command: check.command[0]!, args: check.command.slice(1) };
    default: {
      const named = component.ports.find(({ name }) => name !== undefined && name === check.port);
      const port = named?.port ?? Number(check.port);
      const at = LOCAL.includes(check.host) ? running.reach(port) : { host: check.host, port };
      return check.kind === 'tcp' ? { type: 'tcp', ...at } : { type: 'http', path: check.path, status: check.status, ...at };
    }
  }
}

async function askItself(running: Running): Promise<CheckResult> {
  try {
    await running.health!();
    return { ok: true, message: 'it says that it is well' };
  } catch (error) {
    return { ok: false, message: (error as Error).message };
  }
}

async function lookInside(check: Check, timeout: number, signal: AbortSignal, running: Running): Promise<CheckResult> {
  if (check.type !== 'exec') return runCheck(check, timeout, signal);
  const command = [check.command, ...(check.args ?? [])];
  const limit = deadline(timeout, signal);
  try {
    const code = await running.exec(command, limit.signal);
    return { ok: code === 0, message: limit.signal.aborted ? `${command.join(' ')} did not end within ${timeout} ms` : `${command.join(' ')} ended with ${code}` };
  } catch (error) {
    return { ok: false, message: (error as Error).message };
  } finally {
    limit.done();
  }
}
