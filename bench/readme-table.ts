// The isolation × transport table of the README: time until a process is ready, and latency of one call, measured here.
// Run it:  npm run build && node --import mimas/register bench/readme-table.ts
import { availableParallelism, cpus } from 'node:os';
import { createProcessManager, type Isolation, type TransportName } from 'mimas';
import type Calculator from '../processes/calculator.process.js';

const STARTS = 9;
const CALLS = 3_000;
const file = new URL('../processes/calculator.process.ts', import.meta.url);
const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

const pm = createProcessManager();
console.log(`Node ${process.versions.node}, ${availableParallelism()} cores (${cpus()[0]?.model.trim()})\n`);
console.log('| isolation | transport | ready after | one call | calls/s, 100 at once |');
console.log('|---|---|---|---|---|');
for (const isolation of ['none', 'worker', 'child'] as Isolation[]) {
  for (const transport of ['ipc', 'unix', 'tcp', 'ws'] as TransportName[]) {
    const starts: number[] = [];
    for (let i = 0; i < STARTS; i++) {
      const begin = performance.now();
      const calc = await pm.spawn<Calculator>(file, { isolation, transport });
      starts.push(performance.now() - begin);
      await calc.$handle.stop();
    }
    const calc = await pm.spawn<Calculator>(file, { isolation, transport });
    for (let i = 0; i < 2_000; i++) await calc.add(i, 1);
    const calls: number[] = [];
    for (let i = 0; i < CALLS; i++) {
      const begin = performance.now();
      await calc.add(i, 1);
      calls.push(performance.now() - begin);
    }
    const begin = performance.now();
    for (let i = 0; i < 200; i++) await Promise.all(Array.from({ length: 100 }, (_, n) => calc.add(n, 1)));
    const perSecond = 20_000 / ((performance.now() - begin) / 1000);
    console.log(`| ${isolation} | ${transport} | ${median(starts).toFixed(0)} ms | ${(median(calls) * 1000).toFixed(0)} µs | ${Math.round(perSecond / 1000)}k |`);
    await calc.$handle.stop();
  }
}
await pm.shutdown();
