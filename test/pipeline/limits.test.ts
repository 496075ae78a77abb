// Limits of components that run as processes, kept by the kernel. Where no cgroup can be made these tests are skipped, and say so.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Limiter } from '../../src/pipeline/limits.js';
import { detectCgroups } from '../../src/runtime/cgroups.js';
import { eventually, makeProcessProject, makeProject, plain } from './helpers.js';

const support = detectCgroups();
const parents = [...new Set(Object.values(support.parents))];
const possible = support.missing.length === 0;
if (!possible) console.warn(`\n*** SKIPPED: limits of processes: ${support.missing.join(', ')} ***\n`);
const PLAIN = ['--plain', '--no-control-plane'];
const groupsOf = (pid: number) => parents.flatMap((parent) => readdirSync(parent).filter((name) => name.startsWith(`mimas-pipeline-${pid}-`)).map((name) => join(parent, name)));

describe.skipIf(!possible)('limits of processes', () => {
  it('who goes over its memory limit is told as such, and its group is gone', async () => {
    const project = makeProject();
    project.write({ sources: [{ id: 'greedy', command: [process.execPath, '-e', 'const all = []; setTimeout(() => { for (;;) all.push(Buffer.alloc(1e7, 1)); }, 500)'], resources: { memory: '100MB' }, restart_policy: 'no' }] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    expect(await run.exit()).toBe(1);
    expect(run.err()).toContain('component greedy was ended by SIGKILL (out of memory: its limit is 100 MB)');
    expect(groupsOf(run.child.pid!)).toEqual([]);
  });

  it('cores, shares and memory are those of the file, also for a process file; the groups go with their components', async () => {
    const project = makeProcessProject();
    project.write({ sources: [plain('a', { resources: { limits: { cpu: '500m', memory: '256MB' }, requests: { cpu: 1, memory: '64MB' } } }), { id: 'own', process: './own.process.ts', resources: { cpu: 0.25 } }] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await run.line('Pipeline started successfully');
    const all = groupsOf(run.child.pid!);
    const groupsWith = (id: string) => all.filter((group) => group.endsWith(`-${id}`));
    const groups = groupsWith('a');
    expect(groups.length).toBe(parents.length);
    expect(groupsWith('own').length).toBeGreaterThan(0);
    for (const id of ['a', 'own']) {
      const [, , pid] = project.journal().find(([what, who]) => what === 'start' && who === id)!;
      for (const group of groupsWith(id)) expect(readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n')).toContain(pid);
    }
    const readOf = (of: readonly string[], ...names: string[]) => names.flatMap((name) => of.map((group) => join(group, name))).filter((file) => existsSync(file)).map((file) => readFileSync(file, 'utf8').trim())[0];
    const read = (...names: string[]) => readOf(groups, ...names);
    expect(read('cpu.cfs_quota_us', 'cpu.max')).toMatch(/^50000\b/);
    expect(read('memory.limit_in_bytes', 'memory.max')).toBe(String(256 * 1024 ** 2));
    expect(read('memory.soft_limit_in_bytes', 'memory.low')).toBe(String(64 * 1024 ** 2));
    expect(readOf(groupsWith('own'), 'cpu.cfs_quota_us', 'cpu.max')).toMatch(/^25000\b/);
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
    expect(all.filter((group) => existsSync(group))).toEqual([]);
  });

  it('groups that a killed mimas left are removed by the next start', async () => {
    const project = makeProject();
    project.write({ sources: [plain('a', { resources: { memory: '256MB' } })] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await run.line('Pipeline started successfully');
    const left = groupsOf(run.child.pid!);
    run.signal('SIGKILL');
    await run.exit();
    expect(await eventually(() => left.every((group) => readFileSync(join(group, 'cgroup.procs'), 'utf8') === ''))).toBe(true);
    new Limiter().clearLeftovers();
    expect(left.length).toBeGreaterThan(0);
    expect(left.filter((group) => existsSync(group))).toEqual([]);
  });
});

it('where no cgroup can be made, a limit is refused by name', () => {
  const root = mkdtempSync(join(tmpdir(), 'mimas-nocg-'));
  mkdirSync(join(root, 'elsewhere'));
  const limiter = new Limiter(() => detectCgroups(root, ''));
  expect(limiter.gaps('a', { cpu: 1, memory: undefined, cpuRequest: undefined, memoryRequest: undefined })).toEqual([{ field: 'resources', message: expect.stringMatching(/^a: resources\.cpu cannot be kept for processes here: .*not mounted.*; limits for containers alone go under container\.resources$/) }]);
  rmSync(root, { recursive: true });
});
