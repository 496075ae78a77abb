// Limits kept by the kernel, where this machine lets us; the files that would be written where it does not.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Cgroup, detectCgroups, wrapInCgroup } from '../../dist/runtime/cgroups.js';
import { failure, start, temporaryFolder, until } from './helpers.js';

const here = detectCgroups();
const real = here.parents.memory !== undefined && here.parents.cpu !== undefined;
if (!real) console.warn(`SKIPPED: cgroups are not writable here: ${here.missing.join('; ')}`);

const manifest = (resources: string) => `name: p\nversion: 1.0.0\nexecutable: ./run\nresources: ${resources}\n`;

describe.skipIf(!real)('real cgroups', () => {
  it('a process that takes more memory than its limit is ended by the kernel, and the error says so', async () => {
    const script = `#!${process.execPath}\nconst kept = []; console.log('ready'); setInterval(() => kept.push(Buffer.alloc(16 << 20, 1)), 5);\n`;
    const { launcher, output } = await start({ p: { script, manifest: manifest('{memory_limit: 96Mi, enforce: strict}') } });
    await launcher.launch({ pattern: 'p', namespace: 'x' });
    await until(() => output.length > 0);
    await until(() => (launcher.status('ns:x:p')?.lastError ?? '') !== '');
    expect(launcher.status('ns:x:p')?.lastError).toMatch(/SIGKILL \(it went over its memory limit\)/);
    await launcher.terminate('ns:x:p', { force: true });
  });

  it('the whole process runs inside from its first instruction, with the limits of the manifest; the group goes with it', async () => {
    const { launcher, output } = await start({ p: { script: '#!/bin/sh\n(cat /proc/self/cgroup; echo done)\nexec sleep 60\n', manifest: manifest('{cpu_limit: 0.5, cpu_request: 250m, memory_limit: 64Mi, memory_request: 32Mi}') } });
    await launcher.launch({ pattern: 'p', namespace: 'x' });
    await until(() => output.some((line) => line.endsWith('done')));
    const name = /mimas-[\w-]+/.exec(output.join('\n'))![0];
    expect(output.filter((line) => line.includes(name)).length).toBeGreaterThan(0);
    const read = (controller: 'cpu' | 'memory', file: string) => Number(readFileSync(join(here.parents[controller]!, name, file), 'utf8'));
    if (here.version === 1) expect([read('cpu', 'cpu.cfs_quota_us'), read('cpu', 'cpu.shares'), read('memory', 'memory.limit_in_bytes'), read('memory', 'memory.soft_limit_in_bytes')]).toEqual([50_000, 256, 64 << 20, 32 << 20]);
    await launcher.terminate('ns:x:p', { force: true });
    expect(existsSync(join(here.parents.memory!, name))).toBe(false);
  });

  it('half a core is half a core', async () => {
    const script = `#!${process.execPath}\nconst end = Date.now() + 600; while (Date.now() < end); console.log(process.cpuUsage().user / 1000);\nsetInterval(() => {}, 1000);\n`;
    const { launcher, output } = await start({ p: { script, manifest: manifest('{cpu_limit: 0.2}') } });
    await launcher.launch({ pattern: 'p', namespace: 'x' });
    await until(() => output.length > 0);
    // 600 ms of wall time at a fifth of a core are 120 ms; start-up and the last slice blur it.
    expect(Number(output[0]!.split('| ')[1])).toBeLessThan(400);
  });
});

describe('where limits cannot be enforced', () => {
  const nowhere = () => detectCgroups(temporaryFolder(), '');

  it('what is missing is known by name', () => {
    const support = nowhere();
    expect(Cgroup.gaps({ memoryLimit: 1, cpuLimit: 1, cpuRequest: 1 }, support)).toEqual(['memory_limit', 'cpu_limit', 'cpu_request']);
    expect(support.missing).toEqual(['cgroup v1 memory (not mounted)', 'cgroup v1 cpu (not mounted)']);
  });

  it('strict refuses to start, best-effort warns', async () => {
    const { LaunchedProcess } = await import('../../dist/launcher/launched-process.js');
    const logs: string[] = [];
    const process = (enforce: 'strict' | 'best-effort') => {
      const context = { nextLaunch: () => 'i.1', manifest: () => undefined, ports: { take: async () => 1, release() {} }, resources: () => ({ memoryLimit: 1, enforce }), cgroups: nowhere, log: (line: string) => logs.push(line), clock: { now: () => 0 }, onFailure() {}, start: async () => { throw new Error('started'); } };
      return new LaunchedProcess('ns:x:p', { pattern: 'p', level: 'namespace', namespace: 'x' }, { environment: {} } as never, {}, undefined, context as never);
    };
    const outcome = async (enforce: 'strict' | 'best-effort') => (await process(enforce).sync({ cause: 'update', signal: new AbortController().signal } as never))!.error as { code: string; message: string };
    expect(await outcome('strict')).toMatchObject({ code: 'RESOURCE_LIMITS_UNAVAILABLE', message: 'resource limits of ns:x:p cannot be enforced: memory_limit: cgroup v1 memory (not mounted); cgroup v1 cpu (not mounted)' });
    expect(logs).toEqual([]);
    expect(await outcome('best-effort')).toMatchObject({ code: 'PROCESS_START_FAILED', message: 'started' });
    expect(logs).toEqual(['WARNING: resource limits of ns:x:p cannot be enforced: memory_limit: cgroup v1 memory (not mounted); cgroup v1 cpu (not mounted)']);
  });
});

it('cgroup v2: the files of one group for both controllers (a folder stands in for the kernel)', () => {
  const root = temporaryFolder();
  const own = join(root, 'user/session');
  mkdirSync(own, { recursive: true });
  for (const folder of [root, join(root, 'user'), own]) {
    writeFileSync(join(folder, 'cgroup.controllers'), 'cpu memory');
    writeFileSync(join(folder, 'cgroup.subtree_control'), folder === own ? '' : 'cpu memory');
  }
  const support = detectCgroups(root, '0::/user/session\n');
  expect(support).toEqual({ version: 2, parents: { memory: join(root, 'user'), cpu: join(root, 'user') }, missing: [] });
  const group = new Cgroup('mimas-1', { cpuLimit: 1.5, cpuRequest: 1, memoryLimit: 1 << 20, memoryRequest: 1 << 19 }, support);
  const folder = join(root, 'user/mimas-1');
  expect(group.entrances).toEqual([join(folder, 'cgroup.procs')]);
  expect(['cpu.max', 'cpu.weight', 'memory.max', 'memory.low'].map((file) => readFileSync(join(folder, file), 'utf8'))).toEqual(['150000 100000', '40', '1048576', '524288']);
  writeFileSync(join(folder, 'memory.events'), 'low 0\noom 1\noom_kill 1\n');
  expect(group.outOfMemory).toBe(true);
});

it('the way in is a command that becomes the program', () => {
  expect(wrapInCgroup([], '/bin/x', ['a'])).toEqual({ command: '/bin/x', args: ['a'] });
  expect(wrapInCgroup(['/c/cgroup.procs'], '/bin/x', ['a b']).args.slice(2)).toEqual(['sh', '1', '/c/cgroup.procs', '/bin/x', 'a b']);
});

it('a default of the launcher counts for manifests that name none', async () => {
  const error = await failure(start({ p: {} }, { memoryLimit: 'much' }));
  expect(error.message).toBe('memoryLimit must be a size such as 256Mi, got: much');
});
