// Schedules by the thousand in one cell, over the same processes as long as all goes well.
//
// A failure prints the seed, the path and the shortest schedule that was found. To see it again:
//   MIMAS_SEED=… MIMAS_PATH=… npx vitest run test/interleaving/<file> -t '<cell>'
// (real processes run on real time: a schedule that fails rarely may need a few tries, or the seed without the path).
// MIMAS_SCHEDULES=20 runs twenty times as many schedules, for an evening; fractions run fewer.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { run } from './runner.js';
import { schedules } from './schedule.js';
import type { Cell, World } from './world.js';

const SCALE = Number(process.env['MIMAS_SCHEDULES'] ?? 1);
const SEED = process.env['MIMAS_SEED'];
const PATH = process.env['MIMAS_PATH'];
/** For one schedule, ms: a busy machine is no failure. While a failure is shrunk, it is known what goes wrong. */
const PATIENCE = 20_000;
const PATIENCE_SHRINKING = 1_500;
const SHRINKING_MS = 60_000;
/** Rounds of garbage collection that proxies and functions in results may take to go. */
const ROUNDS = 50;

export function interleave(cells: readonly Cell[]): void {
  describe.each(cells)('interleaved operations, $name', (cell) => {
    it('each have their own outcome and leave nothing behind', async () => {
      let world: World | undefined;
      let failedAt = 0;
      const property = fc.asyncProperty(schedules(cell), async (schedule) => {
        // Enough was shrunk: what is left counts as passed.
        if (failedAt > 0 && performance.now() - failedAt > SHRINKING_MS) return;
        world ??= await cell.make();
        try {
          await run(world, schedule, failedAt > 0 ? PATIENCE_SHRINKING : PATIENCE);
        } catch (error) {
          failedAt ||= performance.now();
          // What a failed schedule left would fail the next one.
          const spoilt = world;
          world = undefined;
          await spoilt.end();
          throw error;
        }
      });
      try {
        await fc.assert(property, {
          numRuns: Math.max(1, Math.round(cell.runs * SCALE)),
          ...(SEED === undefined ? {} : { seed: Number(SEED) }),
          ...(PATH === undefined ? {} : { path: PATH }),
        });
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
