// A pool for work that fills a core: one call a thread, a call that is given up ends with its thread.
// Run it:  npm run build && node --import mimas/register examples/cpu-pool.ts
import { availableParallelism } from 'node:os';
import { createProcessManager } from 'mimas';
import type Primes from './processes/primes.process.js';

const FILE = new URL('./processes/primes.process.ts', import.meta.url);
const THREADS = Math.max(2, availableParallelism());
const RANGE = 100_000;
const PARTS = 24;

await using pm = createProcessManager();

/** Counts the primes below RANGE × PARTS with so many threads. */
async function count(threads: number): Promise<{ primes: number; ms: number }> {
  const pool = await pm.pool<Primes>(FILE, { size: threads, workload: 'cpu' });
  // The first call of each thread also compiles its code.
  await pool.$handle.broadcast('count', 0, RANGE);
  const started = performance.now();
  const counts = await Promise.all(Array.from({ length: PARTS }, (_, part) => pool.count(part * RANGE, (part + 1) * RANGE)));
  const ms = performance.now() - started;
  await pool.$handle.stop();
  return { primes: counts.reduce((sum, n) => sum + n, 0), ms };
}

const one = await count(1);
const many = await count(THREADS);
console.log('primes below', RANGE * PARTS, 'are', many.primes, one.primes === many.primes);
const speedUp = one.ms / many.ms;
console.log(`1 thread: ${one.ms.toFixed(0)} ms, ${THREADS} threads: ${many.ms.toFixed(0)} ms, speed-up ${speedUp.toFixed(2)}`);

// A call that takes too long ends with its thread; the other threads go on, and the pool is whole again.
const pool = await pm.pool<Primes>(FILE, { size: 2, workload: 'cpu' });
const [endless, short] = await Promise.allSettled([pool.$with({ timeout: 200 }).count(0, Number.MAX_SAFE_INTEGER), pool.count(0, RANGE)]);
console.log('endless:', endless.status === 'rejected' && (endless.reason as { code: string }).code, 'short:', short.status === 'fulfilled' && short.value);
