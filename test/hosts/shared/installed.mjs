// What holds however a package manager lays out what it installs: nothing is found that a package does not declare.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProcessManager, PackageMissingError } from 'mimas';

const CALCULATOR = new URL('./calculator.process.ts', import.meta.url);

for (const isolation of ['none', 'worker', 'child']) {
  for (const transport of ['ipc', 'unix', 'ws']) {
    test(`a TypeScript process answers: ${isolation}, ${transport}`, async (t) => {
      const pm = manager(t);
      const calc = await pm.spawn(CALCULATOR, { isolation, transport });
      assert.equal(await calc.add(1, 2), 3);
      const items = [];
      for await (const item of calc.countTo(3)) items.push(item);
      assert.deepEqual(items, [1, 2, 3]);
    });
  }
}

test('a pool of CPU threads answers', async (t) => {
  const pm = manager(t);
  const pool = await pm.pool(CALCULATOR, { size: 2, workload: 'cpu' });
  assert.deepEqual(await Promise.all([pool.add(1, 2), pool.add(3, 4)]), [3, 7]);
});

test('what is optional is named with the command that installs it', async (t) => {
  const pm = manager(t);
  await assert.rejects(pm.prometheus(), (error) => error instanceof PackageMissingError && error.command === 'npm install prom-client');
});

/** Node 20 has no `await using`. */
function manager(t) {
  const pm = createProcessManager();
  t.after(() => pm.shutdown());
  return pm;
}
