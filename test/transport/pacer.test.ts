// When a line of traffic is looked at: dense arrivals, prompt answers, and looks that bring something.
import { afterEach, expect, it } from 'vitest';
import { Pacer } from '../../dist/transport/pacer.js';

const pacers: Pacer[] = [];
afterEach(() => {
  for (const pacer of pacers.splice(0)) pacer.close();
});
// Far from what a busy machine may take between two statements. Intervals count as 1 ms at most, so that all traffic is dense here.
const make = (prompt: number, dense = 2) => {
  const pacer = new Pacer({ poll: 1_000, dense, prompt }, undefined);
  pacers.push(pacer);
  return pacer;
};
const work = (ms: number) => {
  for (const end = performance.now() + ms; performance.now() < end; );
};

it('looks on behind an answer that came promptly', () => {
  const pacer = make(1_000);
  pacer.arrived();
  pacer.sent();
  expect(pacer.until).toBeGreaterThan(performance.now());
});

it('does not look behind a long job, whose caller sleeps by now', () => {
  const pacer = make(5);
  pacer.arrived();
  work(10);
  pacer.sent();
  expect(pacer.until).toBe(0);
});

it('does not look while arrivals are far from each other', () => {
  const pacer = make(1_000, 0.1);
  pacer.arrived();
  pacer.sent();
  pacer.handled();
  expect(pacer.until).toBe(0);
});

it('looks only now and then when looks bring nothing', () => {
  const pacer = make(1_000);
  let looks = 0;
  pacer.arrived();
  for (let i = 0; i < 200; i++) {
    pacer.until = 0;
    pacer.sent();
    if (pacer.until > 0) looks++;
    pacer.gaveUp();
  }
  expect(looks).toBeGreaterThan(4);
  expect(looks).toBeLessThan(10);
});

it('does not look after its end', () => {
  const pacer = make(1_000);
  pacer.close();
  pacer.arrived();
  pacer.sent();
  expect(pacer.until).toBe(0);
});
