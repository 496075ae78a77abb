// What a program that uses Mimas means to the compiler, in each of the versions that people run (scripts/types-matrix.mjs).
import { HealthCheck, MimasError, OnShutdown, Process, Public, createProcessManager, transfer, type ProcessHandle, type Remote, type Transferable } from 'mimas';
import * as isolation from 'mimas/isolation';
import * as launcher from 'mimas/launcher';
import * as pipeline from 'mimas/pipeline';
import 'mimas/register';
import * as supervisor from 'mimas/supervisor';
import * as testing from 'mimas/testing';

export { isolation, launcher, pipeline, supervisor, testing };

@Process({ name: 'calculator', version: '1.0.0' })
export class Calculator {
  @Public() add(a: number, b: number): number {
    return a + b;
  }
  @Public({ timeout: '5s' }) async *countTo(n: number): AsyncGenerator<number> {
    yield n;
  }
  @HealthCheck() protected health(): { status: 'healthy'; checks: never[] } {
    return { status: 'healthy', checks: [] };
  }
  @OnShutdown() protected close(): void {}
  init(): void {}
}

export async function typed(): Promise<void> {
  await using pm = createProcessManager();
  await using calc = await pm.spawn<Calculator>(new URL('./calculator.process.ts', import.meta.url));
  const sum: number = await calc.add(5, 3);
  for await (const n of calc.countTo(sum)) n.toFixed();
  const handle: ProcessHandle = calc.$handle;
  const same: Remote<Calculator> = calc.$with({ timeout: '5s', transfer: [new ArrayBuffer(1), new MessageChannel().port1, new ReadableStream()] });
  await using pool = await pm.pool<Calculator>('calculator.process.ts', { size: 2 });
  const sizes: number = pool.$handle.size + (await pool.add(1, 2));
  await using served = (await pm.serve<Calculator>('calculator.process.ts')).process;
  await using tenants = pm.isolate<Calculator>('calculator.process.ts');
  const tenant: Promise<number> = (await tenants.get({ namespace: 'a' })).add(1, 2);
  const found: Remote<Calculator> | undefined = pm.discover<Calculator>('calculator');
  // The class is inferred from where the proxy goes, as well.
  const inferred: Remote<Calculator> = await pm.connect('tcp://127.0.0.1:1');
  const movable: Transferable = transfer(new ArrayBuffer(1));
  void [handle, same, sizes, served, tenant, found, inferred, movable];

  // @ts-expect-error arguments are checked
  void calc.add('5', 3);
  // @ts-expect-error it is no method of the class
  void calc.ad(5, 3);
  // @ts-expect-error it runs inside of the process, once
  void calc.init();
  // @ts-expect-error protected: decorators may stand there, callers may not
  void calc.health();
  // @ts-expect-error a number cannot be moved
  calc.$with({ transfer: [42] });
  // @ts-expect-error a text cannot be moved
  transfer({}, ['a']);
  // @ts-expect-error an object cannot be moved, only what holds memory or a stream
  calc.$with({ transfer: [{}] });
}

export async function untyped(): Promise<void> {
  await using pm = createProcessManager();
  await using calc = await pm.spawn('./calculator.process.ts');
  const sum: number = await calc.add(5, 3);
  for await (const n of calc.countTo(sum)) n.toFixed();
  await calc.$with({ timeout: 5 }).add(1, 2).then((three: number) => three.toFixed());
  const pool = await pm.pool('calculator.process.ts', { size: 2 });
  const results: number[] = await Promise.all([1, 2].map((n) => pool.add(n, n)));
  await pool.$handle.scale(3);
  const tenants = pm.isolate('calculator.process.ts', { level: 'namespace' });
  const tenant = await tenants.get({ namespace: 'a' });
  const remote = await pm.connect('tcp://127.0.0.1:4000', { token: 'a'.repeat(16) });
  const found = pm.discover('calculator');
  const { process, address } = await pm.serve('calculator.process.ts');
  const tree = await pm.supervise([]);
  const all: string = [await tenant.add(1, 2), await remote.add(1, 2), await found.add(1, 2), await process.add(1, 2), await tree.get('child').add(1, 2), results].join() + address;
  const anything: Remote<any> = calc;
  void [all, anything.$handle.status];
}

export async function others(): Promise<void> {
  const pm = createProcessManager();
  const registry = await pm.prometheusRegistry();
  await registry.metrics();
  const error: unknown = await pm.spawn('nowhere.ts').catch((thrown: unknown) => thrown);
  if (error instanceof MimasError && error.code === 'PROCESS_START_FAILED') error.message.trim();
}
