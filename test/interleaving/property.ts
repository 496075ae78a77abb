// Schedules by the thousand in one cell, over the same processes as long as all goes well.
//
// A failure prints the seed, the path and the shortest schedule that was found. To see it again:
//   MIMAS_SEED=… MIMAS_PATH=… npx vitest run test/interleaving/<file> -t '<cell>'
// (real processes run on real time: a schedule that fails rarely may need a few tries, or the seed without the path).
// MIMAS_SCHEDULES=20 runs twenty times as many schedules, for an evening; fractions run fewer.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { run } from './runner.js';
import { schedules, type Schedule } from './schedule.js';
import type { Cell, World } from './world.js';

const SCALE = Number(process.env['MIMAS_SCHEDULES'] ?? 1);
const SEED = process.env['MIMAS_SEED'];
const PATH = process.env['MIMAS_PATH'];
/** For one schedule, ms: a busy machine is no failure. Less while one is shrunk: it is known by then that something goes wrong. */
const PATIENCE = 10_000;
const patienceShrinking = ({ disturbed }: Cell) => (disturbed ? PATIENCE : 2_000);
const SHRINKING_MS = 60_000;
/** Rounds of garbage collection that proxies and functions in results may take to go. */
const ROUNDS = 50;

export function interleave(cells: readonly Cell[]): void {
  describe.each(cells)('interleaved operations, $name', (cell) => {
    it('each have their own outcome and leave nothing behind', async () => {
      let world: World | undefined;
      let failedAt = 0;
      const total = { operations: 0, lost: 0 };
      const attempt = async (schedule: Schedule) => {
        world ??= await cell.make();
        try {
          const { operations, lost } = await run(world, schedule, failedAt > 0 ? patienceShrinking(cell) : PATIENCE);
          total.operations += operations;
          total.lost += lost;
        } catch (error) {
          if (failedAt === 0) console.log(`${cell.name}: to be shrunk: ${(error as Error).message}`);
          failedAt ||= performance.now();
          // What a failed schedule left would fail the next one.
          const spoilt = world;
          world = undefined;
          await spoilt.end();
          throw error;
        }
      };
      const property = fc.asyncProperty(schedules(cell), async (schedule) => {
        // Enough was shrunk: what is left counts as passed.
        if (failedAt === 0 || performance.now() - failedAt < SHRINKING_MS) await attempt(schedule);
      });
      try {
        const result = await fc.check(property, {
          numRuns: Math.max(1, Math.round(cell.runs * SCALE)),
          ...(SEED === undefined ? {} : { seed: Number(SEED) }),
          ...(PATH === undefined ? {} : { path: PATH }),
        });
        if (result.failed) {
          const error = await shortest(result.counterexample![0], result.errorInstance as Error, attempt);
          throw new Error(`schedule ${result.numRuns} failed: ${error.message}\nMIMAS_SEED=${result.seed} MIMAS_PATH=${result.counterexamplePath} shows it again`, { cause: error });
        }
        console.log(`${cell.name}: ${result.numRuns} schedules, ${total.operations} operations, ${total.lost} lost to ends of processes`);
        let left = {};
        for (let round = 0; world && round < ROUNDS; round++) {
          left = await world.collected();
          if (Object.keys(left).length === 0) break;
        }
        expect(left).toEqual({});
      } finally {
        await world?.end();
      }
    }, 600_000 * Math.max(1, SCALE));
  });
}

/** Leaves out steps as long as it goes on failing, which the library does not try any more once it has made values smaller. */
async function shortest(schedule: Schedule, error: Error, attempt: (schedule: Schedule) => Promise<void>): Promise<Error> {
  for (let i = schedule.length - 1; i >= 0 && schedule.length > 1; i--) {
    const shorter = schedule.filter((_, index) => index !== i);
    const failed = await attempt(shorter).then(() => undefined, (thrown: Error) => thrown);
    if (failed) return shortest(shorter, failed, attempt);
  }
  return error;
}
