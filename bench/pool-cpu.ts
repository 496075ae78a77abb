// A CPU pool against Piscina alone (its defaults), the same job in one run: prints the ratios of the times and of the CPU per call.
// Run: node --import ./dist/register.js bench/pool-cpu.ts [rounds]
// Short rounds alternate, each a few milliseconds; the median of the ratios of neighbours counts, so that whatever else the
// machine does, and where the kernel places threads, weighs little.
import { fileURLToPath } from 'node:url';
import { createProcessManager } from 'mimas';
import { Piscina } from 'piscina';

const FILE = fileURLToPath(new URL('./fixtures/spin.process.js', import.meta.url));
const ROUNDS = Number(process.argv[2] ?? 101);
const ROUND_MICROSECONDS = 10_000;

interface Spinner {
  spin(microseconds: number): number;
}

interface Cost {
  readonly wall: number;
  readonly cpu: number;
}

/** Microseconds per call with as many calls in flight as `window`. */
async function measure(call: (n: number) => Promise<unknown>, job: number, calls: number, window: number): Promise<Cost> {
  let left = calls;
  const used = process.cpuUsage();
  const started = performance.now();
  const lane = async () => {
    while (left-- > 0) await call(job);
  };
  await Promise.all(Array.from({ length: window }, lane));
  const wall = ((performance.now() - started) * 1000) / calls;
  const { user, system } = process.cpuUsage(used);
  return { wall, cpu: (user + system) / calls };
}

const median = (numbers: number[]): number => numbers.sort((a, b) => a - b)[numbers.length >> 1]!;

for (const threads of [1, 2]) {
  const pm = createProcessManager();
  const pool = await pm.pool<Spinner>(FILE, { size: threads, workload: 'cpu' });
  const piscina = new Piscina({ filename: FILE, name: 'spin', minThreads: threads, maxThreads: threads });
  const alone = (n: number) => piscina.run(n) as Promise<unknown>;
  for (const call of [alone, pool.spin]) for (const window of [1, 64]) await measure(call, 10, 5_000, window);
  for (const job of [10, 100, 1_000]) {
    for (const window of [1, 64]) {
      const calls = Math.max(window, 8, Math.ceil((ROUND_MICROSECONDS * Math.min(threads, window)) / (job + 30)));
      const rounds: { alone: Cost; pooled: Cost }[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        if (round % 2 === 0) rounds.push({ alone: await measure(alone, job, calls, window), pooled: await measure(pool.spin, job, calls, window) });
        else {
          const pooled = await measure(pool.spin, job, calls, window);
          rounds.push({ alone: await measure(alone, job, calls, window), pooled });
        }
      }
      const of = (read: (round: (typeof rounds)[number]) => number, digits: number) => median(rounds.map(read)).toFixed(digits).padStart(7);
      const text = [
        `${threads} thread${threads > 1 ? 's' : ' '}, ${String(job).padStart(4)} µs job, ${String(window).padStart(2)} in flight:`,
        `Piscina ${of(({ alone: { wall } }) => wall, 1)} µs a call, Mimas ${of(({ pooled: { wall } }) => wall, 1)} µs,`,
        `ratio ${of(({ alone: a, pooled: p }) => p.wall / a.wall, 3)}, of CPU time ${of(({ alone: a, pooled: p }) => p.cpu / a.cpu, 3)}`,
      ];
      console.log(text.join(' '));
    }
  }
  await piscina.destroy();
  await pm.shutdown();
}
