// Testing a process: in the same thread, so that a breakpoint and a coverage tool see it; arguments are copied as in production.
// Run it:  npm run build && node --import mimas/register --test examples/testing.ts
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createProcessManager } from 'mimas';
import type Calculator from '../processes/calculator.process.js';

// `useMockSpawner` puts every process into this thread, whatever isolation the code under test asks for.
const pm = createProcessManager({ isolation: 'none', testing: { useMockSpawner: true } });
after(() => pm.shutdown());

test('adds', async () => {
  const calc = await pm.spawn<Calculator>(new URL('../processes/calculator.process.ts', import.meta.url), { isolation: 'child' });
  assert.equal(await calc.add(2, 3), 5);
  assert.equal(calc.$handle.pid, process.pid);
});

test('refuses to divide by zero', async () => {
  const calc = await pm.spawn<Calculator>(new URL('../processes/calculator.process.ts', import.meta.url));
  await assert.rejects(calc.divide(1, 0), RangeError);
});
