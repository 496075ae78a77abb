// What an SSR handler does.
import { createProcessManager } from 'mimas';
import type Calc from './shared/app/calc.process';

export async function sum(a: number, b: number): Promise<number> {
  const pm = createProcessManager();
  const calc = await pm.spawn<Calc>(new URL('./shared/app/calc.process.ts', import.meta.url));
  try {
    return await calc.add(a, b);
  } finally {
    await pm.shutdown();
  }
}
