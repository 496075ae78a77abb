// Bulkheads: a process for each tenant. One crashes, the others do not notice; idle ones make room and come back on demand.
// Run it:  npm run build && node --import mimas/register examples/isolation.ts
import { createProcessManager, type IsolationKey } from 'mimas';
import type TenantStore from './processes/tenant.process.js';

await using pm = createProcessManager();
const tenants = pm.isolate<TenantStore>(new URL('./processes/tenant.process.ts', import.meta.url), {
  level: 'namespace',
  idleTimeout: '5m',
  maxProcesses: 3,
  perKey: ({ namespace }) => ({ resources: { maxMemory: namespace === 'globex' ? '256MB' : '64MB' } }),
});
tenants.on('start', ({ id }) => console.log(`+ ${id}`));
tenants.on('crash', ({ id }) => console.log(`! ${id} crashed`));
tenants.on('stop', ({ id, reason }) => console.log(`- ${id} (${reason})`));

const running = () => tenants.list().map(({ id }) => id).sort().join(', ');
const key = (namespace: string): IsolationKey => ({ namespace });

console.log('--- twenty requests of three tenants at once ---');
await Promise.all(Array.from({ length: 20 }, async (_, i) => {
  const tenant = await tenants.get(key(['acme', 'globex', 'initech'][i % 3]!));
  await tenant.add(`note ${i}`);
}));
console.log(`running: ${running()}`);

console.log('--- a request kills the process of acme ---');
const [acme, globex] = [await tenants.get(key('acme')), await tenants.get(key('globex'))];
const error = (await acme.parse('poison').catch((thrown: unknown) => thrown)) as { code: string };
console.log(`acme's request: ${error.code}`);
console.log(`globex still has ${(await globex.all()).length} notes`);
console.log(`acme is back with ${(await acme.all()).length} notes, restarts: ${acme.$handle.restarts}`);

console.log('--- a fourth tenant needs room ---');
await globex.add('at work');
await acme.add('at work');
await tenants.get(key('hooli'));
console.log(`running: ${running()}`);

console.log('--- the end ---');
await tenants.shutdown();
