// What a process says of itself, and what is measured about it.
// Run it:  npm run build && node --import mimas/register examples/health-and-metrics.ts
import { setTimeout as sleep } from 'node:timers/promises';
import { createProcessManager } from 'mimas';
import type Flaky from '../processes/flaky.process.js';

await using pm = createProcessManager({ output: 'capture', monitoring: { healthCheck: { interval: '1s', timeout: '200ms' } } });
const flaky = await pm.spawn<Flaky>(new URL('../processes/flaky.process.ts', import.meta.url));

console.log(await flaky.$handle.health().then(({ status, checks }) => [status, ...checks.map((check) => `${check.name}: ${check.status}`)]));
pm.on('health', ({ name, status }) => console.log(`event: ${name} is ${status}`));
await flaky.setHealth('degraded');
console.log((await pm.getHealth(flaky)).status);

for (let i = 0; i < 100; i++) await flaky.echo(i);
await flaky.hang(200);
await flaky.fail().catch(() => {});
// Of a process that is younger than a quarter of a second no rates are told.
await sleep(250);
const metrics = await pm.getMetrics(flaky);
console.log('requests', metrics.requests, 'errors', metrics.errors, 'echo', metrics.methods['echo']?.requests);
console.log('hang took about 200 ms:', metrics.latency.max >= 195 && metrics.latency.max < 1000);
console.log('it used a processor:', metrics.cpu > 0, 'memory in MiB:', metrics.memory > 2 ** 20);

const printed = new Promise((resolve) => pm.on('log', resolve));
await flaky.print('a line that it printed');
await printed;
console.log('its output:', flaky.$handle.logs());
