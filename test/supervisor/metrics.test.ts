// Health report, the nine hooks, and the Prometheus exposition.
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { createPrometheusCollector, type MetricsCollector } from '../../src/supervisor/index.js';
import { setUp } from './helpers.js';

/** A collector that writes down every call. */
function recorder() {
  const calls: unknown[][] = [];
  const collector = new Proxy({}, { get: (_target, hook) => (...args: unknown[]) => void calls.push([hook, ...args]) }) as MetricsCollector;
  const of = (hook: keyof MetricsCollector) => calls.filter(([name]) => name === hook).map(([, ...args]) => args);
  return { collector, of };
}

describe('health()', () => {
  it('is empty at first, and counts phases, depth and uptime', async () => {
    const { create, terminate, supervisor, syncer, clock } = setUp();
    expect(supervisor.health()).toEqual({ totalProcesses: 0, runningProcesses: 0, terminatingProcesses: 0, failedProcesses: 0, workQueueDepth: 0, processes: {} });
    await Promise.all(['memstore-1', 'memstore-2', '__proto__'].map((id) => create(id)));
    await clock.advance(2000);
    expect(supervisor.health()).toMatchObject({ totalProcesses: 3, runningProcesses: 3, workQueueDepth: 3 });
    syncer.onTerminating = () => clock.sleep(1000);
    void terminate('memstore-1');
    expect(supervisor.health()).toMatchObject({ terminatingProcesses: 1, runningProcesses: 2, workQueueDepth: 2 });
    await clock.advance(21_000);
    const report = JSON.parse(JSON.stringify(supervisor.health())) as ReturnType<typeof supervisor.health>;
    expect(report.totalProcesses).toBe(3);
    expect(report.processes['memstore-1']).toMatchObject({ state: 'Finished', healthy: false, uptime: 3000, endReason: 'terminate' });
    expect(report.processes['memstore-2']).toMatchObject({ state: 'Syncing', healthy: true, uptime: 23_000, errorCount: 0, restartCount: 0 });
    expect(Object.keys(supervisor.health().processes)).toContain('__proto__');
  });
});

describe('the nine hooks', () => {
  it('tell transitions, sync and termination durations, errors, restarts and the queue', async () => {
    const { collector, of } = recorder();
    const { create, terminate, supervisor, syncer, clock } = setUp({ metrics: collector, random: () => 0.5, resyncInterval: 1000 });
    let failures = 1;
    syncer.onSync = async () => {
      await clock.sleep(25);
      if (failures-- > 0) throw new Error('once');
    };
    syncer.onTerminating = () => clock.sleep(70);
    void create('a');
    await clock.advance(1100);
    supervisor.notifyExit('a', { error: new Error('died') });
    await clock.advance(3000);
    void terminate('a');
    await clock.advance(100);
    expect(of('processStateTransition')).toEqual([['a', 'Starting', 'Syncing'], ['a', 'Syncing', 'Terminating'], ['a', 'Terminating', 'Terminated'], ['a', 'Terminated', 'Finished']]);
    expect(of('processSyncDuration')[0]).toEqual(['a', 'create', 25, expect.objectContaining({ message: 'once' })]);
    expect(of('processSyncDuration')[1]).toEqual(['a', 'sync', 25, undefined]);
    expect(of('processTerminationDuration')).toEqual([['a', 70]]);
    expect(of('processError')).toEqual([['a', 'sync_error'], ['a', 'sync_error']]);
    expect(of('processRestart')).toEqual([['a']]);
    expect(of('workQueueRetry')).toHaveLength(2);
    expect(of('workQueueBackoffDuration')).toEqual([['a', 1000], ['a', 2000]]);
    expect(of('workQueueAdd').slice(0, 3)).toEqual([['a', 1000], ['a', 1000], ['a', 2000]]);
    expect(of('workQueueDepth').at(-1)).toEqual([0]);
  });

  it('termination and cleanup errors have their own names', async () => {
    const { collector, of } = recorder();
    const { create, terminate, syncer, clock } = setUp({ metrics: collector });
    await create('a');
    let left = 1;
    let cleanups = 1;
    syncer.onTerminating = () => {
      if (left-- > 0) throw new Error('no');
    };
    syncer.onTerminated = () => {
      if (cleanups-- > 0) throw new Error('no');
    };
    void terminate('a');
    await clock.advance(5000);
    expect(of('processError')).toEqual([['a', 'termination_error'], ['a', 'cleanup_error']]);
  });
});

const SAMPLE = /^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_][a-zA-Z0-9_]*="(\\[\\"n]|[^"\\\n])*",?)*\})? (-?\d+(\.\d+)?(e[+-]?\d+)?|[+-]Inf|NaN)$/;

/** The text format, line by line: HELP and TYPE before the samples of each family, samples well formed. */
function parseExposition(text: string): Map<string, string> {
  const types = new Map<string, string>();
  expect(text.endsWith('\n')).toBe(true);
  for (const line of text.split('\n').filter(Boolean)) {
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (type) types.set(type[1]!, type[2]!);
    else if (!line.startsWith('# HELP ')) {
      expect(line).toMatch(SAMPLE);
      const name = /^[^{ ]+/.exec(line)![0];
      expect(types.has(name) || types.get(name.replace(/_(bucket|sum|count)$/, '')) === 'histogram', line).toBe(true);
    }
  }
  return types;
}

describe('the Prometheus collector', () => {
  it('13. writes upstream’s exposition for transitions, errors, depth and retries', async () => {
    const collector = await createPrometheusCollector();
    collector.processStateTransition('proc-1', 'Starting', 'Syncing');
    collector.processStateTransition('proc-1', 'Syncing', 'Terminating');
    collector.processStateTransition('proc-2', 'Starting', 'Syncing');
    collector.processError('proc-1', 'sync_error');
    collector.processError('proc-1', 'sync_error');
    collector.workQueueDepth(5);
    collector.workQueueRetry('proc-1');
    const single = async (name: string) => `${await collector.registry.getSingleMetricAsString(name)}\n`;
    expect(await single('procmgr_process_state_transitions_total')).toBe(`# HELP procmgr_process_state_transitions_total Total number of process state transitions
# TYPE procmgr_process_state_transitions_total counter
procmgr_process_state_transitions_total{from_state="Starting",process_id="proc-1",to_state="Syncing"} 1
procmgr_process_state_transitions_total{from_state="Syncing",process_id="proc-1",to_state="Terminating"} 1
procmgr_process_state_transitions_total{from_state="Starting",process_id="proc-2",to_state="Syncing"} 1
`);
    expect(await single('procmgr_process_errors_total')).toBe(`# HELP procmgr_process_errors_total Total number of process errors
# TYPE procmgr_process_errors_total counter
procmgr_process_errors_total{error_type="sync_error",process_id="proc-1"} 2
`);
    expect(await single('procmgr_work_queue_depth')).toBe(`# HELP procmgr_work_queue_depth Current depth of the work queue
# TYPE procmgr_work_queue_depth gauge
procmgr_work_queue_depth 5
`);
    expect(await single('procmgr_work_queue_retries_total')).toBe(`# HELP procmgr_work_queue_retries_total Total number of work queue retry operations
# TYPE procmgr_work_queue_retries_total counter
procmgr_work_queue_retries_total{process_id="proc-1"} 1
`);
  });

  it('measures a supervisor in seconds, under its own namespace, in valid text; forgotten units leave no series', async () => {
    const collector = await createPrometheusCollector({ namespace: 'my_app' });
    const { create, terminate, supervisor, syncer, clock } = setUp({ metrics: collector });
    const odd = 'odd "id"\\\n';
    let failures = 1;
    syncer.onSync = async () => {
      await clock.sleep(250);
      if (failures-- > 0) throw new Error('once');
    };
    void create(odd);
    await clock.advance(5000);
    supervisor.notifyExit(odd);
    await clock.advance(10_000);
    void terminate(odd);
    await clock.flush();
    const text = await collector.exposition();
    const types = parseExposition(text);
    expect([...types.values()].filter((type) => type === 'counter')).toHaveLength(5);
    expect([...types.values()].filter((type) => type === 'histogram')).toHaveLength(3);
    expect([...types.keys()].every((name) => name.startsWith('my_app_'))).toBe(true);
    expect(text).toMatch(/my_app_process_sync_duration_seconds_sum\{process_id="odd \\"id\\"\\\\\\n",status="success",update_type="sync"\} 0\.5\n/);
    expect(text).toMatch(/my_app_work_queue_backoff_duration_seconds_bucket\{le="0\.1",process_id=/);
    expect(text).toMatch(/my_app_process_restarts_total\{.*\} 1\n/);
    promtool(text);
    supervisor.syncKnownProcesses([]);
    const after = await collector.exposition();
    expect(after).not.toContain('odd');
    parseExposition(after);
  });
});

function promtool(text: string): void {
  const run = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  if (run.error) return console.warn('SKIPPED: promtool is not on this machine; the exposition was only parsed here.');
  expect(run.stderr + run.stdout).toBe('');
  expect(run.status).toBe(0);
}
