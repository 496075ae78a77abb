// Ending a pattern: politely, by force, and whoever it started along with it.
import { describe, expect, it } from 'vitest';
import { alive, failure, start, until } from './helpers.js';

const TRAPS = '#!/bin/sh\ntrap "echo bye; sleep 0.3; echo done; exit 0" TERM\necho ready\nwhile :; do sleep 0.02; done\n';
const DEAF = '#!/bin/sh\ntrap "" TERM\n(while :; do sleep 0.02; done) &\necho "ready $!"\nwhile :; do sleep 0.02; done\n';

describe('terminate', () => {
  it('20. a pattern that traps SIGTERM ends by itself within its grace, and is not found afterwards (ProcessTermination)', async () => {
    const { launcher, output } = await start({ p: { script: TRAPS } });
    const { pid } = await launcher.launch({ pattern: 'p', namespace: 'x' });
    await until(() => output.includes('ns:x:p| ready'));
    const stopping = launcher.terminate('ns:x:p', { gracePeriod: '5s' });
    await until(() => output.includes('ns:x:p| bye'));
    expect(launcher.status('ns:x:p')).toMatchObject({ state: 'TERMINATING', healthy: false });
    await stopping;
    expect(output).toContain('ns:x:p| done');
    expect(alive(pid)).toBe(false);
    expect(launcher.status('ns:x:p')).toBeUndefined();
    expect(launcher.exportJsonMetrics()).toMatchObject({ process_stops_total: { 'p:Namespace': 1 }, process_failures_total: {}, total_processes: 0 });
  });

  it('20. one that ignores SIGTERM is killed when the grace is over, and its whole process group with it', async () => {
    const { launcher, output } = await start({ p: { script: DEAF } });
    const { pid } = await launcher.launch({ pattern: 'p', namespace: 'x' });
    await until(() => output.some((line) => line.includes('ready')));
    const grandchild = Number(/ready (\d+)/.exec(output[0]!)![1]);
    const asked = performance.now();
    await launcher.terminate('ns:x:p', { gracePeriod: 300 });
    expect(performance.now() - asked).toBeGreaterThan(290);
    expect([alive(pid), alive(grandchild)]).toEqual([false, false]);
  });

  it('force kills at once', async () => {
    const { launcher, output } = await start({ p: { script: DEAF } });
    const { pid } = await launcher.launch({ pattern: 'p', namespace: 'x' });
    await until(() => output.length > 0);
    const asked = performance.now();
    await launcher.terminate('ns:x:p', { force: true, gracePeriod: '60s' });
    expect(performance.now() - asked).toBeLessThan(1500);
    expect(alive(pid)).toBe(false);
  });

  it('the grace of the launch counts when the termination names none', async () => {
    const { launcher, output } = await start({ p: { script: DEAF } });
    await launcher.launch({ pattern: 'p', namespace: 'x', gracePeriod: 200 });
    await until(() => output.length > 0);
    const asked = performance.now();
    await launcher.terminate('ns:x:p');
    expect(performance.now() - asked).toBeLessThan(2500);
  });

  it('what was terminated can be launched again; a launch meanwhile waits for the end and is a new process', async () => {
    const { launcher, output } = await start({ p: { script: TRAPS } });
    const first = await launcher.launch({ pattern: 'p', namespace: 'x' });
    await until(() => output.includes('ns:x:p| ready'));
    const stopping = launcher.terminate('ns:x:p');
    const second = await launcher.launch({ pattern: 'p', namespace: 'x' });
    await stopping;
    expect(second.pid).not.toBe(first.pid);
    expect([alive(first.pid), alive(second.pid)]).toEqual([false, true]);
    expect(launcher.status('ns:x:p')).toMatchObject({ state: 'RUNNING', pid: second.pid });
  });

  it('a launch that is called off by a termination is told so', async () => {
    const { launcher } = await start({ p: { health: 'healthcheck: {type: exec, command: ["false"]}\n' } });
    const launching = failure(launcher.launch({ pattern: 'p', namespace: 'x' }));
    await until(() => launcher.status('ns:x:p')?.pid !== undefined);
    await launcher.terminate('ns:x:p');
    expect((await launching).message).toMatch(/ns:x:p/);
    expect(launcher.list()).toEqual([]);
  });

  it('an unknown id is an error', async () => {
    const { launcher } = await start({ p: {} });
    const error = await failure(launcher.terminate('ns:x:p'));
    expect([error.code, error.message]).toEqual(['PROCESS_NOT_FOUND', 'process not found: ns:x:p']);
  });

  it('shutdown ends everything, and nothing is launched afterwards', async () => {
    const { launcher } = await start({ p: {} });
    const infos = await Promise.all(['a', 'b', 'c'].map((namespace) => launcher.launch({ pattern: 'p', namespace })));
    await launcher.shutdown({ timeout: '1s' });
    expect(infos.filter(({ pid }) => alive(pid))).toEqual([]);
    expect((await failure(launcher.launch({ pattern: 'p', namespace: 'a' }))).code).toBe('SHUTTING_DOWN');
  });
});
