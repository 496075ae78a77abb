// The exactly-once ledger: processes append each execution to a file before they answer, under every fault there is. A call that was answered
// ran once; one that says it never ran has not; one that may have run ran once at most. MIMAS_LEDGER_SECONDS makes it longer,
// MIMAS_LEDGER_SEED repeats its choices (not the timing of real processes).
import { expect, it } from 'vitest';
import { run } from './run.js';

const seconds = Number(process.env['MIMAS_LEDGER_SECONDS'] ?? 20);
const seed = Number(process.env['MIMAS_LEDGER_SEED'] ?? Date.now() % 2 ** 31);

it(`${seconds} s of mixed calls under faults, seed ${seed}`, { timeout: seconds * 1000 + 120_000 }, async () => {
  const report = await run({ seed, ms: seconds * 1000 });
  console.log(JSON.stringify(report, null, 1));
  expect(report.violations.slice(0, 20)).toEqual([]);
  const { figures, faults } = report;
  // It is no proof unless all of it came up.
  expect(figures.calls).toBeGreaterThan(300);
  expect(Object.values(faults).reduce((sum, n) => sum + n, 0)).toBeGreaterThan(20);
  const never = Object.entries(figures.errors).filter(([, count]) => count.false > 0).map(([code]) => code);
  expect(never).toEqual(expect.arrayContaining(['QUEUE_TIMEOUT', 'QUEUE_FULL', 'METHOD_NOT_FOUND', 'NOT_CLONEABLE', 'INVALID_OPTION']));
  // The client of that one lets everything pass: it is the other side which refuses.
  expect(Object.keys(figures.refusals)).toContain('connect/unix QUEUE_FULL');
  const maybe = Object.entries(figures.errors).filter(([, count]) => count.true > 0).map(([code]) => code);
  expect(maybe).toEqual(expect.arrayContaining(['PROCESS_CRASHED', 'LINK_CLOSED', 'CALL_TIMEOUT', 'NOT_CLONEABLE', 'METHOD_NOT_FOUND']));
});
