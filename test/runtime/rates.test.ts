// Rates over times that the clocks behind them can tell of, and no more than is possible.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Usage } from '../../src/runtime/protocol.js';
import { RateMeter, UNKNOWN } from '../../src/runtime/rates.js';

/** At `at` ms, with that share of a core used since 0. */
const reading = (at: number, share: number, loop = share): Usage => ({ at, cpu: at * share * 1_000, memory: 1, loopActive: at * loop, loopIdle: at * (1 - loop) });

it('nothing is told of less than 250 ms, and no window is shorter but while it is young', () => {
  const meter = new RateMeter(100);
  for (const at of [0, 10, 249]) {
    meter.add(reading(at, 0.5));
    expect(meter.rates).toEqual(UNKNOWN);
  }
  meter.add(reading(250, 0.5));
  expect(meter.rates).toEqual({ cpu: 50, loop: 0.5, window: 250 });
  meter.add(reading(1_400, 0.5));
  // From 249 on, not from 0: the newest that is a second old.
  expect(meter.rates.window).toBeGreaterThanOrEqual(1_000);
  expect(meter.rates.window).toBeLessThanOrEqual(1_400);
  expect(meter.last?.at).toBe(1_400);
});

it('a reading that is no newer than the last is not counted', () => {
  const meter = new RateMeter(100);
  for (const at of [0, 500, 500, 400]) meter.add(reading(at, 0.25));
  expect(meter.rates).toEqual({ cpu: 25, loop: 0.25, window: 500 });
});

it('however often it is read, whatever the clocks say: windows of a second or more, rates within what is possible', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(800), fc.nat(20_000), fc.nat(3_000), fc.nat(3_000)), { minLength: 2, maxLength: 60 }), (steps) => {
      const meter = new RateMeter(100);
      let now: Usage = { at: 0, cpu: 0, memory: 0, loopActive: 0, loopIdle: 0 };
      meter.add(now);
      for (const [ms, cpu, active, idle] of steps) {
        now = { at: now.at + ms, cpu: now.cpu + cpu * 100, memory: 0, loopActive: now.loopActive + active, loopIdle: now.loopIdle + idle };
        meter.add(now);
        const { cpu: percent, loop, window } = meter.rates;
        expect(percent).toBeGreaterThanOrEqual(0);
        expect(percent).toBeLessThanOrEqual(100);
        expect(loop).toBeGreaterThanOrEqual(0);
        expect(loop).toBeLessThanOrEqual(1);
        if (now.at < 250) expect(window).toBe(0);
        else if (now.at >= 1_000 && ms > 0) expect(window).toBeGreaterThanOrEqual(1_000);
        // It tells of late, not of all its life, as long as it is read often.
        expect(window).toBeLessThanOrEqual(1_000 + 100 + 2 * 800);
      }
    }),
  );
});
