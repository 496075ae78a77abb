// What happens when a pattern dies, falls ill, or never gets well.
import { describe, expect, it } from 'vitest';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FakeClock } from 'mimas/testing';
import { alive, failure, HEALTH, kill, nodeServer, start, until } from './helpers.js';

/** Well until the file `ill` is there. */
const FALLS_ILL = nodeServer({ status: "require('node:fs').existsSync('ill') ? 500 : 200" });

describe('a running pattern', () => {
  it('18. killed with SIGKILL, it comes back with a new pid, restart_count 1 and an address (ProcessCrashRecovery)', async () => {
    const { launcher, logs } = await start({ p: { script: nodeServer(), health: HEALTH } });
    const before = await launcher.launch({ pattern: 'p', namespace: 'x' });
    kill(before.pid);
    await until(() => launcher.status('ns:x:p')?.restartCount === 1 && launcher.status('ns:x:p')?.healthy);
    const after = launcher.status('ns:x:p')!;
    expect(after.pid).not.toBe(before.pid);
    expect(alive(after.pid)).toBe(true);
    expect(after.address).toBe(`localhost:${after.grpcPort}`);
    expect((await fetch(`http://127.0.0.1:${after.healthPort}/health`)).status).toBe(200);
    expect(logs).toEqual([
      `Launched process: pattern=p, pid=${before.pid}`,
      'Process ns:x:p is dead, will restart',
      `Launched process: pattern=p, pid=${after.pid}`,
    ]);
    expect(launcher.exportJsonMetrics()).toMatchObject({ process_restarts_total: { 'p:Namespace': 1 }, process_failures_total: { 'p:Namespace': 1 }, running_processes: 1 });
  });

  it('a death leaves nobody of the process group behind', async () => {
    const { launcher, output } = await start({ p: { script: '#!/bin/sh\nsleep 60 &\necho $!\nexec sleep 60\n' } });
    const { pid } = await launcher.launch({ pattern: 'p', namespace: 'x' });
    await until(() => output.length === 1);
    const grandchild = Number(output[0]!.split('| ')[1]);
    kill(pid);
    await until(() => launcher.status('ns:x:p')?.restartCount === 1);
    expect(alive(grandchild)).toBe(false);
  });

  it('that falls ill is ended and started again, after as many failed looks as the manifest says', async () => {
    const { launcher, dir, logs } = await start({ p: { script: FALLS_ILL.replace("require('node:http')", "require('node:fs').rmSync('ill', { force: true }); require('node:http')"), health: HEALTH } });
    const before = await launcher.launch({ pattern: 'p', namespace: 'x' });
    writeFileSync(join(dir, 'p/ill'), '');
    await until(() => launcher.status('ns:x:p')?.restartCount === 1 && launcher.status('ns:x:p')?.healthy);
    expect(launcher.status('ns:x:p')?.pid).not.toBe(before.pid);
    expect(alive(before.pid)).toBe(false);
    expect(logs).toContain('Process ns:x:p is unhealthy (errors: 1)');
    expect(launcher.exportJsonMetrics().health_check_failure_total['p']).toBeGreaterThanOrEqual(2);
  });

  it('is looked at with every resync, however rarely its manifest wants it', async () => {
    const { launcher, dir } = await start({ p: { script: FALLS_ILL.replace("require('node:http')", "require('node:fs').rmSync('ill', { force: true }); require('node:http')"), health: HEALTH.replace('50ms', '1h') } }, { resyncInterval: '1s' });
    const before = await launcher.launch({ pattern: 'p', namespace: 'x' });
    writeFileSync(join(dir, 'p/ill'), '');
    await until(() => launcher.status('ns:x:p')?.restartCount === 1 && launcher.status('ns:x:p')?.healthy);
    expect(launcher.status('ns:x:p')?.pid).not.toBe(before.pid);
  });

  it('that has been up for long enough after a failure has no errors in a row', async () => {
    const { launcher } = await start({ p: {} }, { stableAfter: 500 });
    kill((await launcher.launch({ pattern: 'p', namespace: 'x' })).pid);
    await until(() => launcher.status('ns:x:p')?.restartCount === 1 && launcher.status('ns:x:p')?.healthy);
    expect(launcher.status('ns:x:p')).toMatchObject({ errorCount: 1, lastErrorCode: 'PROCESS_CRASHED' });
    await until(() => launcher.status('ns:x:p')?.errorCount === 0);
    expect(launcher.status('ns:x:p')).toMatchObject({ lastErrorCode: 'PROCESS_CRASHED', restartCount: 1 });
  });

  it('a restart takes the manifest as it is by then', async () => {
    const { launcher, dir, output } = await start({ p: { script: '#!/bin/sh\necho "v=$V"\nexec sleep 60\n' } });
    const { pid } = await launcher.launch({ pattern: 'p', namespace: 'x' });
    writeFileSync(join(dir, 'p/manifest.yaml'), 'name: p\nversion: 2.0.0\nexecutable: ./run\nenvironment: {V: "2"}\n');
    launcher.reload();
    kill(pid);
    await until(() => output.includes('ns:x:p| v=2'));
    expect(launcher.status('ns:x:p')?.version).toBe('2.0.0');
  });
});

describe('the circuit breaker', () => {
  const never = { script: nodeServer({ before: "require('node:fs').appendFileSync('starts', 'x')", status: '500' }), health: HEALTH.replace('5s', '250ms') };

  it('19. a pattern that never gets healthy is given up after 5 attempts: MAX_ERRORS_EXCEEDED, no 6th start (MaxErrorsTerminal)', async () => {
    const { launcher, logs } = await start({ p: never });
    const error = await failure(launcher.launch({ pattern: 'p', namespace: 'x' }));
    expect([error.code, error.message.split(';')[0]]).toEqual(['HEALTH_CHECK_FAILED', 'health check failed: health check timeout after 0.25s']);
    expect(launcher.status('ns:x:p')?.state).toBe('STARTING');
    await until(() => launcher.status('ns:x:p')?.state === 'FAILED');
    expect(launcher.status('ns:x:p')).toMatchObject({ healthy: false, errorCount: 5, lastErrorCode: 'MAX_ERRORS_EXCEEDED', pid: undefined, address: '' });
    expect(launcher.health()).toMatchObject({ healthy: false, failedProcesses: 1 });
    await new Promise((resolve) => setTimeout(resolve, 200));
    const lines = logs.filter((line) => !line.startsWith('Launched'));
    expect(lines).toEqual([
      ...[1, 2, 3, 4, 5].map((n) => `Process ns:x:p is unhealthy (errors: ${n})`),
      'Process ns:x:p has exceeded max errors (5), marking as terminal',
    ]);
    expect(logs.filter((line) => line.startsWith('Launched'))).toHaveLength(5);
  });

  it('19. with the defaults of production (fake clock): five attempts of 30 s with growing delays, and no 6th in the resyncs after', async () => {
    const clock = new FakeClock(1_000_000);
    const starts: number[] = [];
    const { launcher } = await start({ p: { health: 'healthcheck: {type: tcp, initial_delay: 29s}\n' } }, { clock, preset: 'production', cpuLimit: 1, backOffPeriod: '5s', log: (line) => void (line.startsWith('Launched') && starts.push(clock.now())) });
    const told = failure(launcher.launch({ pattern: 'p', namespace: 'x' }));
    for (let i = 0; i < 2000 && launcher.status('ns:x:p')?.state !== 'FAILED'; i++) {
      await clock.advance(250);
      // What is started and ended is real, and takes real time.
      await new Promise((resolve) => setTimeout(resolve, launcher.status('ns:x:p')?.pid === undefined ? 5 : 0));
    }
    expect((await told).code).toBe('HEALTH_CHECK_FAILED');
    expect(launcher.status('ns:x:p')).toMatchObject({ state: 'FAILED', lastErrorCode: 'MAX_ERRORS_EXCEEDED' });
    expect(starts).toHaveLength(5);
    // 30 s of trying, then 1, 2, 4, 5 s of waiting, -25 % at the least; the ending takes its time as well.
    const gaps = starts.slice(1).map((at, i) => at - starts[i]!);
    [1000, 2000, 4000, 5000].forEach((delay, i) => expect(gaps[i]).toBeGreaterThan(30_000 + delay * 0.75 - 1));
    await clock.advance(120_000);
    expect(starts).toHaveLength(5);
  });

  it('an explicit launch clears it', async () => {
    const { launcher, dir } = await start({ p: { script: '#!/bin/sh\n[ -f well ] || exit 1\nexec sleep 60\n', health: 'healthcheck: {type: exec, command: ["true"], initial_delay: 100ms}\n' } });
    writeFileSync(join(dir, 'p/well'), '');
    const { pid } = await launcher.launch({ pattern: 'p', namespace: 'x' });
    rmSync(join(dir, 'p/well'));
    kill(pid);
    await until(() => launcher.status('ns:x:p')?.state === 'FAILED');
    expect(launcher.status('ns:x:p')?.lastError).toMatch(/^process exceeded max consecutive errors: 5; last: process ns:x:p died: exit code 1/);
    writeFileSync(join(dir, 'p/well'), '');
    expect(await launcher.launch({ pattern: 'p', namespace: 'x' })).toMatchObject({ state: 'RUNNING', errorCount: 0, lastErrorCode: '' });
  });

  it('one that was given up can be cleared away', async () => {
    const { launcher, dir } = await start({ p: { script: '#!/bin/sh\n[ -f well ] || exit 1\nrm well\nsleep 0.3\n' } });
    writeFileSync(join(dir, 'p/well'), '');
    await launcher.launch({ pattern: 'p', namespace: 'x' });
    await until(() => launcher.status('ns:x:p')?.state === 'FAILED');
    await launcher.terminate('ns:x:p');
    expect(launcher.status('ns:x:p')).toBeUndefined();
  });

  it('who asks while it is being tried again shares the next attempt', async () => {
    const { launcher, dir } = await start({ p: { script: FALLS_ILL, health: HEALTH.replace('5s', '1s') } });
    writeFileSync(join(dir, 'p/ill'), '');
    await failure(launcher.launch({ pattern: 'p', namespace: 'x' }));
    rmSync(join(dir, 'p/ill'));
    const infos = await Promise.all([1, 2].map(() => launcher.launch({ pattern: 'p', namespace: 'x' })));
    expect(infos.map(({ state }) => state)).toEqual(['RUNNING', 'RUNNING']);
    expect(infos[0]?.pid).toBe(infos[1]?.pid);
  });
});
