// Chaos: many callers, replicas killed all the time. Every call settles, answers are right, the pool is whole at the end.
import { expect, it } from 'vitest';
import { makePool, sleep, until } from './helpers.js';

const CALLERS = 32;
const SECONDS = 10;
const DEATHS = new Set(['PROCESS_CRASHED', 'LINK_CLOSED']);

it.each(['child', 'worker'] as const)(`%s: ${CALLERS} callers, a random replica killed every 250 ms for ${SECONDS} s`, async (isolation) => {
  const pool = await makePool({ size: 4, isolation, concurrency: 16, retry: { attempts: 12, backoff: 5 }, restartPolicy: { maxRestarts: Infinity, maxFailures: Infinity, backoff: { initial: 10, max: 50 } } });
  const end = performance.now() + SECONDS * 1_000;
  // A busy machine restarts more slowly than this kills: a call that may run again needs more than the four runs it has by default.
  let answered = 0;
  let lost = 0;
  let kills = 0;
  const wrong: unknown[] = [];
  const caller = async (id: number) => {
    for (let n = 0; performance.now() < end; n++) {
      const expected = `${id}:${n}`;
      // Every other call may run again elsewhere.
      const idempotent = n % 2 === 0;
      await (idempotent ? pool.again(n % 7, expected) : pool.slow(n % 7, expected)).then(
        (answer) => {
          answered++;
          if (answer !== expected) wrong.push({ expected, answer });
        },
        (error: { code?: string; message: string }) => {
          lost++;
          if (idempotent || !DEATHS.has(error.code ?? '')) wrong.push({ expected, code: error.code, error: error.message });
        },
      );
    }
  };
  const killer = async () => {
    while (performance.now() < end - 300) {
      await sleep(250);
      const running = pool.$handle.replicas().filter(({ status }) => status === 'running');
      const victim = running[Math.floor(Math.random() * running.length)];
      if (!victim) continue;
      kills++;
      if (isolation === 'child') process.kill(victim.pid!, 'SIGKILL');
      else await pool.exit(1).catch(() => {});
    }
  };
  await Promise.all([...Array.from({ length: CALLERS }, (_, id) => caller(id)), killer()]);
  await until(() => pool.$handle.replicas().every(({ status }) => status === 'running'));
  console.log(`${isolation}: ${answered} answers, ${lost} calls lost to ${kills} kills`);
  expect(wrong).toEqual([]);
  // How many there are depends on what else the machine does.
  expect(kills).toBeGreaterThan(8);
  expect(answered).toBeGreaterThan(300);
  expect(pool.$handle).toMatchObject({ size: 4, active: 0, pending: 0 });
  const metrics = await pool.$handle.metrics();
  expect(metrics.size).toBe(4);
  await expect(pool.$handle.health()).resolves.toMatchObject({ status: 'healthy' });
}, 30_000);
