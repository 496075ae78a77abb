// The exposition of a manager, checked by promtool itself where it is installed (scripts/install-promtool.sh), and its JSON.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createProcessManager } from 'mimas';
import { expect, it, vi } from 'vitest';
import type Tenant from '../fixtures/manager/tenant.process.js';

// Real processes, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });
const FILE = fileURLToPath(new URL('../fixtures/manager/tenant.process.ts', import.meta.url));
const promtool = spawnSync('promtool', ['--version']).status === 0;
if (!promtool) console.warn('SKIPPED: the exposition is not checked by promtool, because it is not installed; run scripts/install-promtool.sh.');

/** The value of one line of an exposition. */
function value(text: string, name: string, labels: Record<string, string> = {}): number | undefined {
  for (const line of text.split('\n')) {
    const match = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match?.[1] !== name) continue;
    if (Object.entries(labels).every(([label, expected]) => match[2]?.includes(`${label}="${expected}"`))) return Number(match[3]);
  }
  return undefined;
}

async function used() {
  const pm = createProcessManager({ output: 'capture', restartPolicy: { backoff: { initial: 10 } } });
  const tenants = pm.isolate<Tenant>(FILE);
  const tenant = await tenants.get({ namespace: 'a "quoted" \\ name' });
  for (let i = 0; i < 20; i++) await tenant.greet('you');
  await expect(tenant.crash()).rejects.toMatchObject({ code: 'PROCESS_CRASHED' });
  await tenant.sleep(50);
  const calculator = await pm.spawn<Tenant>(FILE, { name: 'second' });
  await calculator.who();
  return { pm, tenant };
}

it('tells of each process and method, and of the supervisor from its first moment', async () => {
  const { pm, tenant } = await used();
  await using _ = pm;
  const text = await pm.prometheus();
  const process = { process_id: tenant.__processId.replaceAll('\\', '\\\\').replaceAll('"', '\\"') };
  expect(value(text, 'mimas_process_up', process)).toBe(1);
  expect(value(text, 'mimas_process_restarts_total', process)).toBe(1);
  expect(value(text, 'mimas_process_memory_bytes', process)).toBeGreaterThan(1e6);
  expect(value(text, 'mimas_process_cpu_ratio', process)).toBeGreaterThanOrEqual(0);
  expect(value(text, 'mimas_process_rate_window_seconds', process)).toBeGreaterThanOrEqual(0);
  expect(value(text, 'mimas_requests_total', { ...process, method: 'greet' })).toBe(20);
  expect(value(text, 'mimas_request_errors_total', { ...process, method: 'crash' })).toBe(1);
  expect(value(text, 'mimas_request_errors_total', { ...process, method: 'greet' })).toBe(0);
  expect(value(text, 'mimas_request_duration_seconds', { ...process, method: 'sleep', quantile: '0.5' })).toBeGreaterThan(0.045);
  expect(value(text, 'mimas_request_duration_seconds_count', { ...process, method: 'greet' })).toBe(20);
  expect(value(text, 'mimas_request_duration_seconds_sum', { ...process, method: 'sleep' })).toBeGreaterThan(0.045);
  expect(value(text, 'mimas_process_up', { process: 'second' })).toBe(1);
  // Counted before anybody asked.
  expect(value(text, 'procmgr_process_state_transitions_total', { ...process, from_state: 'Starting', to_state: 'Syncing' })).toBe(1);
  expect(value(text, 'procmgr_process_restarts_total', process)).toBe(1);
  expect(value(text, 'procmgr_process_sync_duration_seconds_count', { ...process, update_type: 'create' })).toBe(1);
  // And goes on.
  await tenant.greet('you');
  await tenant.$handle.stop();
  const later = await pm.prometheus();
  expect(value(later, 'mimas_requests_total', { ...process, method: 'greet' })).toBe(21);
  expect(value(later, 'mimas_process_up', process)).toBe(0);
  expect(value(later, 'procmgr_process_state_transitions_total', { ...process, to_state: 'Finished' })).toBe(1);
});

it.skipIf(!promtool)('passes promtool check metrics', async () => {
  const { pm } = await used();
  await using _ = pm;
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: await pm.prometheus(), encoding: 'utf8' });
  expect(stdout + stderr).toBe('');
  expect(status).toBe(0);
});

it('series of processes that are forgotten are dropped', async () => {
  await using pm = createProcessManager({ output: 'capture', isolation: 'none' });
  const first = await pm.spawn<Tenant>(FILE);
  await first.$handle.stop();
  for (let i = 0; i < 101; i++) await (await pm.spawn<Tenant>(FILE)).$handle.stop();
  await pm.spawn<Tenant>(FILE);
  expect(await pm.prometheus()).not.toContain(first.__processId);
});

it('gives the same as JSON', async () => {
  const { pm, tenant } = await used();
  await using _ = pm;
  const json = JSON.parse(JSON.stringify(await pm.metricsJson())) as Awaited<ReturnType<typeof pm.metricsJson>>;
  expect(json.supervisor).toMatchObject({ totalProcesses: 2, runningProcesses: 2 });
  expect(json.processes.find(({ id }) => id === tenant.__processId)).toMatchObject({ status: 'running', restarts: 1, metrics: { requests: 22, errors: 1, methods: { greet: { requests: 20, errors: 0 } } } });
});

it('the registry can be merged with a program’s own', async () => {
  await using pm = createProcessManager({ output: 'capture', isolation: 'none' });
  const { default: prom } = await import('prom-client');
  const own = new prom.Registry();
  new prom.Counter({ name: 'own_total', help: 'Mine', registers: [own] }).inc();
  await pm.spawn<Tenant>(FILE);
  const text = await prom.Registry.merge([own, await pm.prometheusRegistry()]).metrics();
  expect(value(text, 'own_total')).toBe(1);
  expect(text).toContain('mimas_process_up{');
});
