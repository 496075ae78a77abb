// Supervision trees written as classes, in both flavours of decorators, over real processes.
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Child, createProcessManager, InvalidOptionError, InvalidProcessError, Supervisor, UnknownOptionError, UnsupportedOptionError, type Remote, type SupervisorClass } from 'mimas';
import { describe, expect, expectTypeOf, it, vi } from 'vitest';
import type Tenant from '../fixtures/manager/tenant.process.js';
import { emit, root } from '../helpers/compile.js';

process.env['TENANT_FILE'] = fileURLToPath(new URL('../fixtures/manager/tenant.process.ts', import.meta.url));
// Real processes, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });
type Cases = Record<string, () => SupervisorClass>;

const flavours = await Promise.all((['legacy', 'standard'] as const).map(async (flavour) => {
  const folder = emit([join(root, 'test/fixtures/decorators/trees.ts')], { experimentalDecorators: flavour === 'legacy' });
  const cases = (await import(/* @vite-ignore */ pathToFileURL(join(folder, 'trees.js')).href)) as { good: Cases; bad: Cases; refused: Cases };
  return { flavour, ...cases };
}));

const EXPECTED: Record<string, readonly [abstract new (...args: never) => Error, ...(string | RegExp)[]]> = {
  method: [InvalidProcessError, /@Child on (A\.)?db: it belongs on a field/],
  getter: [InvalidProcessError, /@Child on (A\.)?db: it belongs on a field/],
  static: [InvalidProcessError, 'make it an instance field'],
  symbol: [InvalidProcessError, 'give it a string name'],
  onClass: [InvalidProcessError, '@Child on A', 'not on a class'],
  bareChild: [InvalidProcessError, 'write @Child()'],
  childTwice: [InvalidProcessError, 'twice'],
  noOptions: [InvalidOptionError, 'options are an object such as { file }'],
  noFile: [InvalidOptionError, 'is not a path or URL of a process file'],
  unknownChildOption: [UnknownOptionError, "did you mean 'critical'?"],
  spawnOption: [UnknownOptionError, 'write options: { isolation }'],
  restartPolicy: [UnsupportedOptionError, 'the group restarts its children'],
  badType: [InvalidOptionError, 'type: "always"'],
  notSupervisor: [InvalidOptionError, 'it is a class with @Supervisor()'],
  supervisorOnField: [InvalidProcessError, 'it belongs on the class itself'],
  bareSupervisor: [InvalidProcessError, 'write @Supervisor()'],
  supervisorTwice: [InvalidProcessError, 'twice'],
  unknownOption: [UnknownOptionError, "did you mean 'strategy'?"],
  badStrategy: [InvalidOptionError, 'one-for-one, one-for-all, rest-for-one'],
  badPeriod: [InvalidOptionError, 'period'],
};

describe.each(flavours)('$flavour decorators', ({ good, bad, refused }) => {
  it('build a tree whose options are honoured and whose fields are its children', async () => {
    await using pm = createProcessManager({ output: 'capture' });
    const tree = await pm.supervise(good['tree']!() as SupervisorClass<{ db: Tenant; cache: Tenant; plain: number }>);
    expect(tree.status()).toMatchObject({ name: 'Shop', strategy: 'one-for-all', children: [{ name: 'db', process: { isolation: 'worker' } }, { name: 'memory', process: { isolation: 'child' } }] });
    expect(await tree.children.db.greet('you')).toBe('db, you');
    const cache = tree.get<Tenant>('memory');
    const { pid } = await cache.who();
    await expect(tree.get('db').crash()).rejects.toMatchObject({ code: 'PROCESS_CRASHED' });
    for (let i = 0; i < 3000 && (await cache.who()).pid === pid; i++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect((await cache.who()).pid).not.toBe(pid);
    // transient: a clean end is an end.
    await expect(cache.crash(0)).rejects.toMatchObject({ code: 'PROCESS_CRASHED' });
    for (let i = 0; i < 3000 && tree.status().children[1]!.state !== 'ended'; i++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(tree.status()).toMatchObject({ state: 'running', restarts: 1, children: [{ state: 'running' }, { state: 'ended' }] });
  });

  it('nest, and inherit: children of the base first, the nearest options of each', async () => {
    await using pm = createProcessManager({ output: 'capture', isolation: 'none' });
    const tree = await pm.supervise(good['nested']!());
    expect(tree.name).toBe('shop');
    expect((await tree.get<Tenant>('back/db').who()).calls).toBe(1);
    expect(Object.keys(tree.children)).toEqual(['front']);
    const leaf = await pm.supervise(good['inherited']!(), { intensity: 1 });
    expect(leaf.status()).toMatchObject({ name: 'Leaf', strategy: 'rest-for-one', children: [{ name: 'first' }, { name: 'second' }, { name: 'third' }] });
  });

  it('never construct the class', async () => {
    await using pm = createProcessManager({ output: 'capture', isolation: 'none' });
    expect((await pm.supervise(good['neverConstructed']!())).state).toBe('running');
  });

  it.each(Object.keys(bad))('refuse %s where it is written', (name) => {
    const [error, ...parts] = EXPECTED[name]!;
    let thrown: unknown;
    try {
      bad[name]!();
    } catch (caught) {
      thrown = caught;
    }
    expect(thrown).toBeInstanceOf(error);
    for (const part of parts) expect((thrown as Error).message).toMatch(part);
  });

  it('classes without children or without @Supervisor are refused by pm.supervise', async () => {
    await using pm = createProcessManager();
    await expect(pm.supervise(refused['empty']!())).rejects.toThrow('@Supervisor on Empty: it has no @Child() field');
    await expect(pm.supervise(refused['undecorated']!())).rejects.toThrow('Plain has no @Supervisor()');
  });
});

it('is typed by the fields of the class', () => {
  @Supervisor({ strategy: 'one-for-one' })
  class Shop {
    @Child({ file: 'x.process.ts' }) tenant!: Tenant;
  }
  const check = async () => {
    await using pm = createProcessManager();
    const tree = await pm.supervise(Shop);
    expectTypeOf(tree.children.tenant).toEqualTypeOf<Remote<Tenant>>();
    expectTypeOf(tree.get('tenant')).toEqualTypeOf<Remote<Tenant>>();
    expectTypeOf(tree.get<Tenant>('group/tenant')).toEqualTypeOf<Remote<Tenant>>();
  };
  expect(check).toBeTypeOf('function');
});
