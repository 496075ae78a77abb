// A CPU pool against Piscina alone, the same job in one run: prints the ratio of the times per call.
// Run: node --import @oxc-node/core/register bench/pool-cpu.ts
// Many short rounds alternate and the faster quarter of each counts, so that whatever else the machine does weighs little.
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { createProcessManager } from 'mimas';
import { Piscina } from 'piscina';

const FILE = fileURLToPath(new URL('./fixtures/spin.process.js', import.meta.url));
const THREADS = Math.max(2, Math.min(4, availableParallelism()));
const ROUNDS = Number(process.argv[2] ?? 41);
const ROUND_MICROSECONDS = 40_000;

interface Spinner {
  spin(microseconds: number): number;
}

/** Microseconds per call with as many calls in flight as `window`. */
async function measure(call: (n: number) => Promise<unknown>, job: number, calls: number, window: number): Promise<number> {
  let left = calls;
  const started = performance.now();
  const lane = async () => {
    while (left-- > 0) await call(job);
  };
  await Promise.all(Array.from({ length: window }, lane));
  return ((performance.now() - started) * 1000) / calls;
}

const lowerQuartile = (numbers: number[]): number => numbers.sort((a, b) => a - b)[numbers.length >> 2]!;

const pm = createProcessManager();
const pool = await pm.pool<Spinner>(FILE, { size: THREADS, workload: 'cpu' });
const variants = { 'its defaults (atomics sync)': {}, 'atomics disabled': { atomics: 'disabled' } } as const;
for (const [name, options] of Object.entries(variants)) {
  const piscina = new Piscina({ filename: FILE, name: 'spin', minThreads: THREADS, maxThreads: THREADS, ...options });
  const alone = (n: number) => piscina.run(n) as Promise<unknown>;
  for (const job of [10, 100, 1_000]) {
    for (const window of [1, THREADS * 4]) {
      const calls = Math.max(20, Math.ceil(ROUND_MICROSECONDS / (job + 50)));
      const times: { alone: number[]; pooled: number[] } = { alone: [], pooled: [] };
      for (let round = 0; round < ROUNDS; round++) {
        times.alone.push(await measure(alone, job, calls, window));
        times.pooled.push(await measure(pool.spin, job, calls, window));
      }
      const [first, second] = [lowerQuartile(times.alone), lowerQuartile(times.pooled)];
      console.log(`${String(job).padStart(5)} µs job, ${String(window).padStart(2)} in flight: Piscina, ${name.padEnd(27)} ${first.toFixed(1).padStart(7)} µs a call, Mimas ${second.toFixed(1).padStart(7)} µs, ratio ${(second / first).toFixed(3)}`);
    }
  }
  await piscina.destroy();
}
await pm.shutdown();
