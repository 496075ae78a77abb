// How the benchmark judges: medians of ratios within rounds, targets, and what the guard calls a clear loss.
import { describe, expect, test } from 'vitest';
// The harness is plain JavaScript, and its peers are not installed here: only what needs none of them is imported.
// @ts-expect-error no types
import { clearLoss } from '../../bench/lib/guard.mjs';
// @ts-expect-error no types
import { median, pairedMedian, short } from '../../bench/lib/stats.mjs';
// @ts-expect-error no types
import { judge, TARGETS } from '../../bench/lib/targets.mjs';

describe('figures', () => {
  test('a median of an even number is the mean of the middle two', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  test('a ratio is taken within each round, so that drift between rounds cancels', () => {
    expect(pairedMedian([10, 100, 1000], [5, 50, 500])).toBe(2);
    expect(pairedMedian([10, 1, 30], [5, Number.NaN, 15])).toBe(2);
    expect(pairedMedian([3, 5], [1, 2], true)).toBe(2.5);
  });

  test('figures are written with three digits', () => {
    expect([0.1234, 12.34, 1234, 45_600, 2_040_000, undefined].map(short)).toEqual(['0.12', '12.3', '1,234', '45.6k', '2.04M', '–']);
  });
});

describe('targets', () => {
  const target = { id: 'x', text: 'x', system: 'own', job: 'j', metric: 'm', over: 'other' };
  const figures = { own: { j: { m: [20, 22, 24] } }, other: { j: { m: [2, 2, 2] } } };

  test('a lower and an upper bound', () => {
    expect(judge(figures, [{ ...target, min: 11 }])[0]).toMatchObject({ value: 11, met: true });
    expect(judge(figures, [{ ...target, max: 10.9 }])[0]).toMatchObject({ met: false });
  });

  test('a target whose system was not measured is left out', () => {
    expect(judge({ own: figures.own }, [{ ...target, min: 1 }])).toEqual([]);
  });

  test('every target has an id of its own and one bound', () => {
    expect(new Set(TARGETS.map(({ id }: { id: string }) => id)).size).toBe(TARGETS.length);
    for (const { min, max } of TARGETS) expect([min, max].filter((bound) => bound !== undefined)).toHaveLength(1);
  });
});

describe('the guard', () => {
  test('fails on a clear loss only', () => {
    const baseline = { thread: 0.7, none: 2 };
    expect(clearLoss(baseline, { thread: 0.9, none: 2.5 })).toEqual([]);
    expect(clearLoss(baseline, { thread: 0.92, none: 1 })).toEqual(['thread']);
  });

  test('does not judge what was never recorded', () => {
    expect(clearLoss({}, { thread: 5 })).toEqual([]);
  });
});
