// Real executables of several kinds, really killed.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ProcessStartError } from '../../src/errors.js';
import { Executable } from '../../src/runtime/executable.js';
import { livingMembers } from '../../src/runtime/group-members.js';
import { signalGroup } from '../../src/runtime/process-group.js';
import { temporaryFolder } from '../helpers/temporary.js';

const folder = temporaryFolder('mimas-exec-');

const sh = (script: string, more: object = {}) => Executable.start({ name: 'test', command: '/bin/sh', args: ['-c', script], ...more });
async function said(it: Executable, line: string): Promise<void> {
  for (let i = 0; i < 300 && !it.lines().includes(line); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(it.lines()).toContain(line);
}
const has = (command: string) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

describe('start', () => {
  it('runs a script with its environment and folder, and reads its output by lines', async () => {
    const script = join(folder, 'hello');
    writeFileSync(script, '#!/bin/sh\necho "$GREETING from $(pwd)"\necho ill >&2\nexit 3\n', { mode: 0o755 });
    const lines: string[] = [];
    const it = await Executable.start({ name: 'hello', command: script, env: { GREETING: 'hi' }, cwd: folder, onLine: (line, stream) => lines.push(`${stream}: ${line}`) });
    await it.gone();
    expect(it.exit).toEqual({ code: 3, signal: null });
    expect(lines.toSorted()).toEqual(['stderr: ill', `stdout: hi from ${folder}`]);
    expect(it.stderrTail()).toBe('ill');
  });

  it('leads a process group of its own', async () => {
    const it = await sh('echo ready; sleep 60');
    await said(it, 'ready');
    expect(livingMembers(it.pid)).toContain(it.pid);
    await it.kill();
    expect(livingMembers(it.pid)).toEqual([]);
  });

  it.each([
    ['a file that is not there', { command: '/no/such/file' }, /could not be executed/],
    ['a file without the x bit', { command: join(folder, 'plain') }, /could not be executed.*EACCES/],
    ['a folder that is not there', { command: '/bin/sh', cwd: '/no/such/folder' }, /working directory \/no\/such\/folder/],
  ])('refuses %s with a coded error', async (_what, options, message) => {
    writeFileSync(join(folder, 'plain'), 'x', { mode: 0o644 });
    const failure = await Executable.start({ name: 'bad', ...options }).catch((error: unknown) => error as Error);
    expect(failure).toBeInstanceOf(ProcessStartError);
    expect((failure as Error).message).toMatch(message);
  });

  const python = has('python3');
  if (!python) console.warn('SKIPPED: no python3');
  it.skipIf(!python)('runs Python', async () => {
    const it = await Executable.start({ name: 'py', command: 'python3', args: ['-c', 'import os; print(os.environ["WHO"])'], env: { WHO: 'snake' } });
    await it.gone();
    expect(it.lines()).toEqual(['snake']);
  });

  const compiler = has('cc');
  if (!compiler) console.warn('SKIPPED: no C compiler');
  it.skipIf(!compiler)('runs a compiled binary', async () => {
    writeFileSync(join(folder, 'a.c'), '#include <stdio.h>\nint main(void) { puts("compiled"); return 0; }\n');
    expect(spawnSync('cc', ['-o', join(folder, 'a'), join(folder, 'a.c')]).status).toBe(0);
    const it = await Executable.start({ name: 'c', command: join(folder, 'a') });
    await it.gone();
    expect(it.lines()).toEqual(['compiled']);
  });

  it('can leave its output to a file', async () => {
    const outputFile = join(folder, 'log');
    const it = await sh('echo out; echo err >&2', { outputFile });
    await it.gone();
    expect(readFileSync(outputFile, 'utf8')).toBe('out\nerr\n');
  });
});

describe('stop', () => {
  it('lets a process that traps SIGTERM end by itself', async () => {
    const it = await sh('trap "echo bye; exit 0" TERM; echo ready; while :; do sleep 0.02; done');
    await said(it, 'ready');
    await it.stop({ grace: 5000 });
    expect(it.exit).toEqual({ code: 0, signal: null });
    expect(it.lines()).toContain('bye');
  });

  it('kills one that ignores SIGTERM when the grace is over', async () => {
    const it = await sh('trap "" TERM; echo ready; while :; do sleep 0.02; done');
    await said(it, 'ready');
    const started = performance.now();
    await it.stop({ grace: 200 });
    expect(performance.now() - started).toBeGreaterThan(190);
    expect(it.exit?.signal).toBe('SIGKILL');
    expect(livingMembers(it.pid)).toEqual([]);
  });

  it('is over only when the whole group is empty: a grandchild that ignores SIGTERM is killed, too', async () => {
    const it = await sh('sh -c \'trap "" TERM; echo grandchild; while :; do sleep 0.02; done\' & echo ready; wait');
    await said(it, 'grandchild');
    const stopped = it.stop({ grace: 300 });
    await it.exited;
    expect(livingMembers(it.pid)?.length).toBeGreaterThan(0);
    await stopped;
    expect(livingMembers(it.pid)).toEqual([]);
  });

  it('is cut short by hurry', async () => {
    const it = await sh('trap "" TERM; echo ready; while :; do sleep 0.02; done');
    await said(it, 'ready');
    const started = performance.now();
    await it.stop({ grace: 60_000, hurry: AbortSignal.timeout(50) });
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it('never signals a group that has been seen empty, and never a pid of 1 or less', async () => {
    const it = await sh('exit 0');
    await it.gone();
    expect(it.signal(0)).toBe(false);
    for (const pid of [1, 0, -1, Number.NaN, 1.5]) expect(signalGroup(pid, 0)).toBe(false);
    await it.stop({ grace: 1000 });
  });
});
