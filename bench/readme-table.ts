// The isolation × transport table of the README: time until a process is ready, latency of one call
// made alone, and throughput of many, measured here.
// Run it:  npm run build && node --import mimas/register bench/readme-table.ts
import { availableParallelism, cpus } from 'node:os';
import { createProcessManager, type Isolation, type TransportName } from 'mimas';
import type Calculator from '../processes/calculator.process.js';

const STARTS = 7;
const CALLS = 3_000;
const file = new URL('../processes/calculator.process.ts', import.meta.url);
const sorted = (values: number[]): number[] => values.sort((a, b) => a - b);
/** Other programs only ever add to a time: the best start and the median call say most about this one. */
const best = (values: number[]): number => sorted(values)[0]!;
const median = (values: number[]): number => sorted(values)[Math.floor(values.length / 2)]!;

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
    const rounds: number[] = [];
    for (let round = 0; round < 5; round++) {
      const begin = performance.now();
      for (let i = 0; i < 40; i++) await Promise.all(Array.from({ length: 100 }, (_, n) => calc.add(n, 1)));
      rounds.push((performance.now() - begin) / 4_000_000);
    }
    const perSecond = 1 / best(rounds);
    console.log(`| ${isolation} | ${transport} | ${best(starts).toFixed(0)} ms | ${(median(calls) * 1000).toFixed(0)} µs | ${Math.round(perSecond / 1000)}k |`);
    await calc.$handle.stop();
  }
}
await pm.shutdown();
