// Ending a pattern: politely, by force, and whoever it started along with it.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { alive, failure, start, until } from './helpers.js';

const TRAPS = '#!/bin/sh\ntrap "echo bye; sleep 0.3; echo done; exit 0" TERM\necho ready\nwhile :; do sleep 0.02; done\n';
const DEAF = '#!/bin/sh\ntrap "" TERM\n(while :; do sleep 0.02; done) &\necho "ready $!"\nwhile :; do sleep 0.02; done\n';

/** A frozen process of cgroup v1 does not die of SIGKILL until it is thawed: nothing else that cannot be killed is easily had. (v2 lets it die.) */
const FREEZER = '/sys/fs/cgroup/freezer';
const freezable = existsSync(join(FREEZER, 'cgroup.procs')) && process.getuid?.() === 0;
if (!freezable) console.warn('SKIPPED: no freezer of cgroup v1 that is writable, so there is no process that cannot be killed');

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

  it.skipIf(!freezable)('what the kernel holds does not die: TERMINATION_FAILED, it stays listed, and is gone when the kernel lets go', { timeout: 20_000 }, async () => {
    const { launcher } = await start({ p: {} });
    const { pid } = await launcher.launch({ pattern: 'p', namespace: 'x' });
    const ice = join(FREEZER, `mimas-test-${process.pid}`);
    mkdirSync(ice);
    try {
      writeFileSync(join(ice, 'cgroup.procs'), String(pid));
      writeFileSync(join(ice, 'freezer.state'), 'FROZEN');
      await until(() => readFileSync(join(ice, 'freezer.state'), 'utf8').trim() === 'FROZEN');
      const error = await failure(launcher.terminate('ns:x:p', { force: true }));
      expect([error.code, error.message, error.context['pid']]).toEqual(['TERMINATION_FAILED', 'process ns:x:p did not die after SIGKILL', pid]);
      expect(launcher.status('ns:x:p')).toMatchObject({ state: 'TERMINATING', pid, healthy: false });
      expect(alive(pid)).toBe(true);
    } finally {
      writeFileSync(join(ice, 'freezer.state'), 'THAWED');
    }
    await launcher.terminate('ns:x:p');
    expect([alive(pid), launcher.status('ns:x:p')]).toEqual([false, undefined]);
    rmdirSync(ice);
  });

  it('a grace of years is a grace', async () => {
    const { launcher } = await start({ p: {} });
    await launcher.launch({ pattern: 'p', namespace: 'x' });
    await launcher.terminate('ns:x:p', { gracePeriod: '100000h' });
    expect(launcher.list()).toEqual([]);
  });

  it.each([[{ gracePeriod: 'soon' }, 'gracePeriod'], [{ grace: 1 }, 'grace']])('%o is refused by name', async (request, option) => {
    const { launcher } = await start({ p: {} });
    await launcher.launch({ pattern: 'p', namespace: 'x' });
    const error = await failure(launcher.terminate('ns:x:p', request as never));
    expect([error.code, error.context['option']]).toEqual(['INVALID_CONFIGURATION', option]);
    expect(launcher.status('ns:x:p')?.state).toBe('RUNNING');
  });

  it('a shutdown with a timeout that makes no sense is refused, and nothing is shut down', async () => {
    const { launcher } = await start({ p: {} });
    expect(() => launcher.shutdown({ timeout: 'later' })).toThrow(/timeout/);
    expect((await launcher.launch({ pattern: 'p', namespace: 'x' })).state).toBe('RUNNING');
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
