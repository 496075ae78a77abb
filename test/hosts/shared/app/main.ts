// A host that is bundled, and its process file as a second entry: what stands beside each other after the build finds each other by URL.
import { createProcessManager, MethodNotFoundError, type Isolation } from 'mimas';
import type Calc from './calc.process';

async function main(): Promise<void> {
  const pm = createProcessManager();
  for (const isolation of ['none', 'worker', 'child'] satisfies Isolation[]) {
    const calc = await pm.spawn<Calc>(new URL('./calc.process.js', import.meta.url), { isolation });
    const items: number[] = [];
    for await (const n of calc.countTo(2)) items.push(n);
    const failed = await calc.fail().catch((error: unknown) => error instanceof RangeError);
    const header = await calc.$with({ headers: { 'x-test': 'yes' } }).header();
    const unknown = await (calc as unknown as { health(): Promise<unknown> }).health().catch((error: unknown) => error instanceof MethodNotFoundError);
    console.log(isolation, await calc.add(1, 2), await calc.double(4), items.join('+'), failed, header, unknown);
  }
  const pool = await pm.pool<Calc>(new URL('./calc.process.js', import.meta.url), { size: 2, workload: 'cpu' });
  console.log('pool', await pool.add(3, 4));
  await pm.shutdown();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
