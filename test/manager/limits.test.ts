// `resources` for real: what a process takes is bounded, whatever it is made of, where the kernel helps and where it does not; who
// stays within its limit is left alone, however much garbage it makes.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createProcessManager, MemoryLimitError, type Remote } from 'mimas';
import { detectCgroups } from '../../src/runtime/cgroups.js';
import { asStranger } from '../helpers/stranger.js';
import { fixture, manager, next, rejection } from './helpers.js';

const MIB = 1024 * 1024;
const file = fixture('hoarder.js');
interface Hoarder {
  add(a: number, b: number): number;
  /** Answers when it has done so. */
  keep(mib: number): number;
  keepSlowly(mib: number): Promise<number>;
  keepForEver(): void;
  pass(mib: number): number;
  spinShare(ms: number): number;
}
const support = detectCgroups();
const parents = [...new Set(Object.values(support.parents))];
const groups = () => parents.flatMap((parent) => readdirSync(parent).filter((name) => name.startsWith(`mimas-child-${process.pid}-`)).map((name) => join(parent, name)));
if (support.missing.length > 0) console.warn(`SKIPPED in part: limits kept by the kernel: ${support.missing.join('; ')}`);

const limited = { resources: { maxMemory: '64Mi' } } as const;
/** Who is over its limit, and by how much V8 may leave Buffers that nobody needs. */
const FAR = 400;

const places: Record<string, () => Promise<Pick<Remote<Hoarder>, keyof Hoarder>>> = {
  worker: () => manager().spawn<Hoarder>(file, { isolation: 'worker', ...limited }),
  'worker over unix': () => manager().spawn<Hoarder>(file, { isolation: 'worker', transport: 'unix', ...limited }),
  child: () => manager().spawn<Hoarder>(file, { isolation: 'child', ...limited }),
  'pool of CPU threads': () => manager({ output: 'inherit' }).pool<Hoarder>(file, { size: 1, workload: 'cpu', ...limited }),
};

describe.each(Object.entries(places))('a memory limit: %s', (_, make) => {
  it('Buffers count: who keeps too many is ended with a MemoryLimitError, and started again', async () => {
    const hoarder = await make();
    const error = await rejection(hoarder.keepSlowly(FAR));
    expect(error).toBeInstanceOf(MemoryLimitError);
    expect(error).toMatchObject({ code: 'MEMORY_LIMIT', limit: 64 * MIB, method: 'keepSlowly', maybeExecuted: true });
    expect(await hoarder.add(1, 2)).toBe(3);
  });

  it('a loop that never comes back is ended while it hoards', async () => {
    const hoarder = await make();
    expect(await rejection(hoarder.keepForEver())).toMatchObject({ code: 'MEMORY_LIMIT', method: 'keepForEver' });
    expect(await hoarder.add(1, 2)).toBe(3);
  });

  it('garbage does not count, and neither does what is within the limit', async () => {
    const hoarder = await make();
    await hoarder.keep(20);
    expect(await hoarder.pass(1_000)).toBe(1_000);
    expect(await hoarder.add(1, 2)).toBe(3);
    expect(await hoarder.keep(1)).toBe(21);
  });
});

it.each(['worker', 'child'] as const)('%s: what is kept beyond the limit is noticed without a call', async (isolation) => {
  const hoarder = await manager().spawn<Hoarder>(file, { isolation, ...limited });
  const crash = next<{ error: Error }>((heard) => hoarder.$handle.on('crash', heard));
  // Little enough that V8 might have left it for garbage.
  await hoarder.keep(90).catch(() => {});
  expect((await crash).error).toMatchObject({ code: 'MEMORY_LIMIT', limit: 64 * MIB });
});

it.each(['worker', 'child'] as const)('%s: a start that hoards fails with a MemoryLimitError', async (isolation) => {
  const error = await rejection(manager().spawn(file, { isolation, dependencies: { keep: FAR }, ...limited }));
  expect(error).toMatchObject({ code: 'MEMORY_LIMIT' });
});

describe.skipIf(support.missing.length > 0)('kept by the kernel', () => {
  afterEach(() => expect(groups()).toEqual([]));

  it('a child has the cores of maxCpu, and its groups go with it', async () => {
    const pm = createProcessManager({ output: 'capture' });
    const hoarder = await pm.spawn<Hoarder>(file, { isolation: 'child', resources: { maxCpu: 20, maxMemory: '1Gi' } });
    const of = (name: string) => groups().map((group) => join(group, name)).filter((path) => existsSync(path)).map((path) => readFileSync(path, 'utf8').trim());
    expect(of('cgroup.procs')).toContain(String(hoarder.$handle.pid));
    expect(of(support.version === 1 ? 'cpu.cfs_quota_us' : 'cpu.max')[0]).toMatch(/^20000\b/);
    // The last slices before and behind blur it.
    expect(await hoarder.spinShare(1_500)).toBeLessThan(40);
    await hoarder.$handle.kill();
    expect(groups()).toEqual([]);
    await pm.shutdown();
  });

  it('and a child that went over its limit leaves none', async () => {
    const pm = createProcessManager({ output: 'capture', restartPolicy: { enabled: false } });
    const hoarder = await pm.spawn<Hoarder>(file, { isolation: 'child', ...limited });
    expect(await rejection(hoarder.keepForEver())).toMatchObject({ code: 'MEMORY_LIMIT' });
    await pm.shutdown();
  });
});

it.skipIf(!asStranger)('a user who may make no cgroups: memory is watched, and of cores it is said once that nobody keeps them', async () => {
  const told = await asStranger!(`
    const { createProcessManager } = await import(${JSON.stringify(import.meta.resolve('mimas'))});
    const warnings = [];
    process.on('warning', (warning) => warnings.push(warning.message));
    const pm = createProcessManager({ isolation: 'child', output: 'capture', restartPolicy: { enabled: false } });
    const spawn = (resources) => pm.spawn(new URL(${JSON.stringify(file.href)}), { resources });
    const codes = [];
    for (const [method, mib] of [['keepForEver', 0], ['keepSlowly', ${FAR}], ['pass', 1000]]) {
      const hoarder = await spawn({ maxMemory: '64Mi' });
      codes.push(await hoarder[method](mib).catch((error) => error.code));
    }
    await spawn({ maxCpu: 50 });
    await spawn({ maxCpu: 50 });
    await pm.shutdown({ timeout: 100 });
    console.log(JSON.stringify({ codes, warnings }));`);
  expect(told).toEqual({ codes: ['MEMORY_LIMIT', 'MEMORY_LIMIT', 1000], warnings: [expect.stringMatching(/^resources\.maxCpu of hoarder is not kept by the kernel here \(cgroup v[12] .*cpu.*\): .*'degraded'$/)] });
});
