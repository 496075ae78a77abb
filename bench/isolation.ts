// What isolation costs: time and memory of each key, in this thread, and as threads; and what a `get` of a running key costs.
// Run it:  npm run build && node --expose-gc --import mimas/register bench/isolation.ts
import { createProcessManager, type Isolation } from 'mimas';
import type TenantStore from '../examples/processes/tenant.process.js';

const file = new URL('../examples/processes/tenant.process.ts', import.meta.url);

const memory = () => {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  return { heapUsed, rss };
};

async function measure(isolation: Isolation, keys: number, gets: number) {
  const pm = createProcessManager({ isolation, startupTimeout: '5m' });
  const tenants = pm.isolate<TenantStore>(file);
  // The first one pays for what all share.
  await (await tenants.get({ namespace: 'first' })).add('x');
  const before = memory();
  const started = performance.now();
  let next = 0;
  // A few at a time: more would only wait for a core.
  await Promise.all(Array.from({ length: 4 }, async () => {
    for (let i = next++; i < keys; i = next++) await (await tenants.get({ namespace: `n${i}` })).add('x');
  }));
  const took = performance.now() - started;
  const after = memory();
  // Of a thread, its own heap as it tells it; in this thread, what the program's heap has grown by.
  const own = await tenants.metrics();
  const told = Object.values(own).reduce((sum, { memory: bytes }) => sum + bytes, 0) / Object.keys(own).length;
  const looking = performance.now();
  for (let i = 0; i < gets; i++) await tenants.get({ namespace: `n${i % keys}` });
  const perGet = ((performance.now() - looking) * 1000) / gets;
  const ending = performance.now();
  await pm.shutdown();
  const kib = (bytes: number) => Math.round(bytes / 1024);
  return {
    isolation,
    keys,
    'ms/key': Number((took / keys).toFixed(2)),
    'heap KiB/key': kib((after.heapUsed - before.heapUsed) / keys),
    'rss KiB/key': kib((after.rss - before.rss) / keys),
    'told KiB/key': isolation === 'none' ? '-' : kib(told),
    'µs/get': Number(perGet.toFixed(2)),
    'shutdown ms': Math.round(performance.now() - ending),
  };
}

await measure('none', 20, 100);
const rows = [await measure('none', 1000, 50_000), await measure('worker', 100, 50_000)];
console.table(rows);
if (!globalThis.gc) console.log('(run with --expose-gc for exact memory)');
