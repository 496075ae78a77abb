// The benchmark compares with what it says.
import { expect, it } from 'vitest';
// @ts-expect-error -- plain JavaScript
import { withoutGuarantees } from '../../bench/lib/without-guarantees.mjs';

it('the build without guarantees is one: its cuts fit, calls work, and no method knows of its call', async () => {
  const { entry, remove } = withoutGuarantees();
  const { createProcessManager } = (await import(entry)) as typeof import('mimas');
  const pm = createProcessManager();
  try {
    const work = await pm.spawn<{ add(a: number, b: number): Promise<number> }>(new URL('../../bench/serve/mimas.process.js', import.meta.url));
    await expect(work.add(1, 2)).resolves.toBe(3);
    // A timeout of nothing would have ended it.
    await expect(work.$with({ timeout: 0.001 }).add(1, 2)).resolves.toBe(3);
  } finally {
    await pm.shutdown();
    remove();
  }
});
