// The health check of one replica, as the Prober understands it: ports by number, looks taken where the component runs.
import type { Check, CheckResult } from '../runtime/probes.js';
import { deadline } from '../runtime/deadline.js';
import { resolveProbeOptions, runCheck } from '../runtime/probes.js';
import { Prober, type ProberOptions } from '../runtime/prober.js';
import { unmistaken } from '../runtime/unmistaken.js';
import { linePattern } from './line-pattern.js';
import type { Component, HealthCheck } from './model.js';
import type { Running } from './orchestrator.js';

const LOCAL = ['localhost', '127.0.0.1', '::1', '0.0.0.0', '::'];
/** Asked of a component that has no check of its own, but can say how it is. */
const OWN: Pick<HealthCheck, 'interval' | 'timeout' | 'startTimeout' | 'failureThreshold' | 'successThreshold'> = { interval: 5_000, timeout: 2_000, startTimeout: 30_000, failureThreshold: 3, successThreshold: 1 };

/** Whether a check of this host looks at the component itself. */
export const isLocal = (host: string): boolean => LOCAL.includes(host);

/** Undefined: nothing can be asked, and it counts as well for as long as it runs. */
export function proberFor(component: Component, running: Running, listen: Pick<ProberOptions, 'onChange'>): Prober | undefined {
  const health = component.healthCheck;
  if (health) return makeProber(component, health, running, listen);
  return running.health && new Prober({ check: { type: 'tcp', port: 0 }, times: timesOf(OWN), look: () => askItself(running), ...listen });
}

/** Undefined: nobody asks. */
export const livenessProberFor = (component: Component, running: Running, listen: Pick<ProberOptions, 'onChange'>): Prober | undefined =>
  component.livenessCheck && makeProber(component, component.livenessCheck, running, listen);

function makeProber(component: Component, health: HealthCheck, running: Running, listen: Pick<ProberOptions, 'onChange'>): Prober {
  const check = checkOf(component, health, running);
  const look = check.type === 'exec' ? (one: Check, limit: number, signal: AbortSignal) => lookInside(one, limit, signal, running) : unmistaken((port) => running.foreign?.(port));
  return new Prober({ check, times: timesOf(health), look, ...listen });
}

const timesOf = ({ interval, timeout, startTimeout, failureThreshold, successThreshold }: typeof OWN) => resolveProbeOptions({ interval, timeout, startupTimeout: startTimeout, failureThreshold, successThreshold });

function checkOf(component: Component, { check }: HealthCheck, running: Running): Check {
  switch (check.kind) {
    case 'log':
      return { type: 'log', pattern: linePattern(check.pattern) };
    case 'exec':
      return { type: 'exec', command: check.command[0]!, args: check.command.slice(1) };
    default: {
      const named = component.ports.find(({ name }) => name !== undefined && name === check.port);
      const at = placeOf(check.host, named?.port ?? Number(check.port), running);
      return check.kind === 'tcp' ? { type: 'tcp', ...at } : { type: 'http', path: check.path, status: check.status, headers: check.headers, tls: check.tls, ...at };
    }
  }
}

/** On this machine a component is where the check says; in a container, where its ports have come out. */
function placeOf(host: string, port: number, running: Running): { host: string; port: number } {
  if (!isLocal(host)) return { host, port };
  const at = running.reach(port);
  return at.host === 'localhost' ? { host, port: at.port } : at;
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
