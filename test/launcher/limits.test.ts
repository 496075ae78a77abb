// Limits kept by the kernel, where this machine lets us; the files that would be written where it does not.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Cgroup, detectCgroups, wrapInCgroup } from '../../dist/runtime/cgroups.js';
import { addPattern, start, startOver, temporaryFolder, until } from './helpers.js';

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

  it('a Mimas process runs inside, too, and its heap is limited as well', async () => {
    const dir = temporaryFolder();
    const folder = addPattern(dir, 'm', { manifest: 'name: m\nversion: 1.0.0\nprocess: ./m.process.mjs\nresources: {memory_limit: 200Mi, enforce: strict}\n' });
    writeFileSync(join(folder, 'm.process.mjs'), `import { Process, Public } from '${join(import.meta.dirname, '../../dist/index.js')}';
import { getHeapStatistics } from 'node:v8';
export default class M { heap() { return getHeapStatistics().heap_size_limit; } }
Public()(M.prototype, 'heap', Object.getOwnPropertyDescriptor(M.prototype, 'heap'));
Process({ name: 'm', version: '1.0.0' })(M);
`);
    const { launcher } = await startOver(dir);
    const { pid, processId } = await launcher.launch({ pattern: 'm', namespace: 'x' });
    const [, name] = /(mimas-[\w-]+)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))!;
    const limit = readFileSync(join(here.parents.memory!, name!, here.version === 1 ? 'memory.limit_in_bytes' : 'memory.max'), 'utf8');
    expect(Number(limit)).toBe(200 << 20);
    const heap = await launcher.proxy<{ heap(): number }>(processId).heap();
    expect(heap).toBeGreaterThan(190 << 20);
    expect(heap).toBeLessThan(400 << 20);
    await launcher.terminate(processId);
    expect(existsSync(join(here.parents.memory!, name!))).toBe(false);
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

  /** As root nearly everything is writable: a launcher of a user who may not make groups is a program of its own. */
  it.skipIf(process.getuid?.() !== 0)('strict refuses to start and leaves nothing listed, best-effort starts and warns', () => {
    const dir = temporaryFolder();
    chmodSync(dir, 0o777);
    addPattern(dir, 'strict', { manifest: manifest('{memory_limit: 64Mi, enforce: strict}').replace('name: p', 'name: strict') });
    addPattern(dir, 'lenient', { manifest: manifest('{cpu_limit: 0.5}').replace('name: p', 'name: lenient') });
    addPattern(dir, 'plain');
    const code = `
      import { createLauncher } from ${JSON.stringify(import.meta.resolve('mimas/launcher'))};
      const logs = [];
      const asked = async (enforce, pattern) => {
        const launcher = await createLauncher({ patternsDir: ${JSON.stringify(dir)}, log: (line) => logs.push(line), ...enforce });
        const told = await launcher.launch({ pattern, namespace: 'x' }).then((info) => info.state, (error) => [error.code, error.message, launcher.list().length]);
        await launcher.shutdown({ timeout: 100 });
        return told;
      };
      const told = [await asked({}, 'strict'), await asked({}, 'lenient'), await asked({ cpuLimit: 1, enforce: 'strict' }, 'plain')];
      console.log(JSON.stringify({ told, warnings: logs.filter((line) => line.startsWith('WARNING')) }));`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { uid: 65534, gid: 65534, encoding: 'utf8', env: { ...process.env, TMPDIR: dir } });
    expect(stderr).toBe('');
    const { told, warnings } = JSON.parse(stdout) as { told: unknown[]; warnings: string[] };
    const why = (what: string) => expect.stringMatching(new RegExp(`^resource limits of ns:x:\\w+ cannot be enforced: ${what}: cgroup v[12] memory .*cpu `)) as string;
    expect(told).toEqual([['RESOURCE_LIMITS_UNAVAILABLE', why('memory_limit'), 0], 'RUNNING', ['RESOURCE_LIMITS_UNAVAILABLE', why('cpu_limit'), 0]]);
    expect(warnings).toEqual([expect.stringMatching(/^WARNING: resource limits of ns:x:lenient cannot be enforced: cpu_limit: cgroup v[12] memory/)]);
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
