// The manager in a tsyringe container, and the seed's own recipe for tests.
import 'reflect-metadata';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { container as globalContainer, inject, injectable, type DependencyContainer } from 'tsyringe';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InvalidOptionError, ProcessManager, ProcessManagerModule, ProcessStoppedError, UnknownOptionError, createProcessManager, type IHealthStatus, type IProcessManagerConfig, type IProcessMetrics, type ManagerOptions } from 'mimas';
import { fixture, rejection, subjectFile, type Subject } from './helpers.js';

const modules: ProcessManagerModule[] = [];
const kept = (module: ProcessManagerModule): ProcessManagerModule => (modules.push(module), module);
let container: DependencyContainer;
beforeEach(() => {
  container = globalContainer.createChildContainer();
});
afterEach(async () => {
  await Promise.all(modules.splice(0).map((module) => module.shutdown()));
  globalContainer.reset();
});

const options: ManagerOptions = { isolation: 'none', output: 'capture' };

describe('forRoot', () => {
  it('registers one manager in the container that everybody imports', async () => {
    const module = kept(ProcessManagerModule.forRoot(options));
    const manager = globalContainer.resolve(ProcessManager);
    expect(manager).toBeInstanceOf(ProcessManager);
    expect(globalContainer.resolve(ProcessManager)).toBe(manager);
    expect(globalContainer.createChildContainer().resolve(ProcessManager)).toBe(manager);
    expect(module.manager).toBe(manager);
    const subject = await manager.spawn<Subject>(subjectFile);
    expect(await subject.add(5, 3)).toBe(8);
    expect(subject.$handle.isolation).toBe('none');
  });

  it('gives it to constructors that ask for it', () => {
    kept(ProcessManagerModule.forRoot(options, { container }));
    class Service {
      constructor(readonly processes: ProcessManager) {}
    }
    inject(ProcessManager)(Service, undefined, 0);
    injectable()(Service);
    expect(container.resolve(Service).processes).toBe(container.resolve(ProcessManager));
  });

  it('gives each container its own', () => {
    const [one, two] = [container, globalContainer.createChildContainer()];
    kept(ProcessManagerModule.forRoot(options, { container: one }));
    kept(ProcessManagerModule.forRoot(options, { container: two }));
    expect(one.resolve(ProcessManager)).not.toBe(two.resolve(ProcessManager));
    expect(globalContainer.isRegistered(ProcessManager)).toBe(false);
  });

  it('refuses a second one in the same container, until the first is shut down', async () => {
    const first = kept(ProcessManagerModule.forRoot(options, { container }));
    const before = container.resolve(ProcessManager);
    expect(() => ProcessManagerModule.forRoot(options, { container })).toThrow(InvalidOptionError);
    await first.shutdown();
    kept(ProcessManagerModule.forRoot(options, { container }));
    expect(container.resolve(ProcessManager)).not.toBe(before);
  });

  it('refuses wrong options at once, by name', () => {
    expect(() => ProcessManagerModule.forRoot({ isolaton: 'none' } as object)).toThrow(UnknownOptionError);
    expect(() => ProcessManagerModule.forRoot({}, { contaner: container } as object)).toThrow(UnknownOptionError);
    expect(globalContainer.isRegistered(ProcessManager)).toBe(false);
  });

  it.each<[string, (module: ProcessManagerModule) => Promise<void> | void]>([
    ['shutdown()', (module) => module.shutdown()],
    ['disposing the module', (module) => module[Symbol.asyncDispose]()],
    ['disposing the container', () => container.dispose()],
  ])('%s shuts the manager down', async (_, dispose) => {
    const module = kept(ProcessManagerModule.forRoot(options, { container }));
    const manager = container.resolve(ProcessManager);
    const subject = await manager.spawn<Subject>(subjectFile);
    await dispose(module);
    expect(subject.$handle.status).toBe('stopped');
    expect(await rejection(manager.spawn(subjectFile))).toBeInstanceOf(ProcessStoppedError);
  });

  it('a shutdown without a manager makes none', async () => {
    const module = ProcessManagerModule.forRoot(options, { container });
    await module.shutdown();
    await module.shutdown();
  });
});

describe('forRootAsync', () => {
  it('makes the options from what the container holds', async () => {
    container.register('config', { useValue: { isolation: 'none' } });
    kept(await ProcessManagerModule.forRootAsync({ useFactory: async (config: ManagerOptions) => ({ ...config, transport: 'tcp', output: 'capture' }) as const, inject: ['config'] }, { container }));
    const subject = await container.resolve(ProcessManager).spawn<Subject>(subjectFile);
    expect(subject.$handle).toMatchObject({ isolation: 'none', transport: 'tcp' });
  });

  it('rejects when the factory does, and checks what it gives', async () => {
    expect((await rejection(ProcessManagerModule.forRootAsync({ useFactory: () => Promise.reject(new Error('no config')) }, { container }))).message).toBe('no config');
    expect(await rejection(ProcessManagerModule.forRootAsync({ useFactory: () => ({ isolation: 'vm' }) as never }, { container }))).toBeInstanceOf(InvalidOptionError);
    expect(await rejection(ProcessManagerModule.forRootAsync({ useFactry: () => ({}) } as never, { container }))).toBeInstanceOf(UnknownOptionError);
    expect(container.isRegistered(ProcessManager)).toBe(false);
  });
});

describe('a plain program', () => {
  const run = (source: string) => spawnSync(process.execPath, ['--input-type=module', '-e', source], { encoding: 'utf8', cwd: fileURLToPath(new URL('../..', import.meta.url)) });

  it('gets the same tsyringe as its own import, whoever loads it first, without importing reflect-metadata itself', () => {
    const { stdout, stderr } = run(`import { ProcessManager, ProcessManagerModule } from 'mimas';
      await using module = ProcessManagerModule.forRoot({ isolation: 'none' });
      const { container } = await import('tsyringe');
      console.log(container.resolve(ProcessManager) === module.manager);`.replace('await using', 'const'));
    expect({ stdout, stderr }).toEqual({ stdout: 'true\n', stderr: '' });
  });

  it("does not load tsyringe with `import 'mimas'`", () => {
    const { stdout, stderr } = run(`import 'mimas';
      import { createRequire } from 'node:module';
      console.log(Object.keys(createRequire(import.meta.url).cache).filter((name) => /tsyringe|reflect-metadata/.test(name)).length, 'getMetadata' in Reflect);`);
    expect({ stdout, stderr }).toEqual({ stdout: '0 false\n', stderr: '' });
  });
});

describe("the seed's recipe for tests", () => {
  it('works as written there', async () => {
    const path = fileURLToPath(fixture('service.js'));
    const expected = 'done';
    // Use in-process isolation for testing
    const pm = createProcessManager({
      isolation: 'none',
      testing: { useMockSpawner: true }
    });

    // Processes run in same process for easy testing
    const service = await pm.spawn<{ method(): string }>(path);
    const result = await service.method();
    expect(result).toBe(expected);
    await pm.shutdown();
  });

  it('useMockSpawner runs a process here whatever isolation its spawn asks for', async () => {
    await using pm = createProcessManager({ testing: { useMockSpawner: true } });
    const subject = await pm.spawn<Subject>(subjectFile, { isolation: 'child' });
    expect((await subject.about()).pid).toBe(process.pid);
    expect(subject.$handle.isolation).toBe('none');
  });

  it("the seed's names for types are those of this library", () => {
    const config: IProcessManagerConfig = { isolation: 'worker', transport: 'http', restartPolicy: { enabled: true, maxRestarts: 3, window: 60_000, backoff: { type: 'exponential', initial: 100, max: 1000 } }, resources: { maxMemory: '512MB', maxCpu: 80, timeout: 1000 }, monitoring: { healthCheck: { interval: 1000, timeout: 100 }, metrics: true, tracing: false } };
    const health: IHealthStatus = { status: 'healthy', checks: [{ name: 'database', status: 'pass' }], timestamp: Date.now() };
    const metrics: Pick<IProcessMetrics, 'cpu' | 'memory' | 'requests' | 'errors'> = { cpu: 23.5, memory: 104857600, requests: 1523, errors: 2 };
    expect(() => createProcessManager(config)).not.toThrow();
    expect([health.status, metrics.requests]).toEqual(['healthy', 1523]);
  });
});
