// Polling: event loops stay alive while it goes on, and it goes on only where it pays.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { createProcessManager } from 'mimas';

interface Echo {
  beats(ms: number): Promise<number>;
  add(a: number, b: number): Promise<number>;
}
const file = new URL('../fixtures/processes/echo-and-beat.process.ts', import.meta.url);
const pm = createProcessManager({ latency: 'low' });
afterAll(() => pm.shutdown());

it.each([['worker', 'ipc'], ['child', 'unix']] as const)('leaves both event loops alive under dense calls, %s over %s', async (isolation, transport) => {
  const echo = await pm.spawn<Echo>(file, { isolation, transport });
  let own = 0;
  const timer = setInterval(() => own++, 5);
  let over = false;
  const theirs = echo.beats(500).finally(() => (over = true));
  let calls = 0;
  while (!over) expect(await echo.add(calls++, 1)).toBe(calls);
  clearInterval(timer);
  // Of 100 each, where nothing else is done on the machine; a loop that is starved has one or none.
  expect(own).toBeGreaterThan(10);
  expect(await theirs).toBeGreaterThan(10);
  // Several between one beat and the next: dense, however little of the machine was free.
  expect(calls).toBeGreaterThan(2 * own);
});

/** While a link is polled, an immediate keeps the loop from sleeping. */
const polls = () => process.getActiveResourcesInfo().includes('Immediate');

it('polls for calls that follow each other closely, and not for sparse ones', async () => {
  const echo = await pm.spawn<Echo>(file);
  // On a busy machine it takes a while until some calls follow each other closely enough.
  while (!polls()) await echo.add(1, 1);
  let polled = 0;
  for (let i = 0; i < 100; i++) {
    await pause(3);
    await echo.add(i, 1);
    if (polls()) polled++;
  }
  // What watches over the length of a turn uses an immediate, too, every hundred calls.
  expect(polled).toBeLessThan(4);
});

it('lets a program end that has nothing else to do', async () => {
  const own = createProcessManager({ latency: 'low' });
  const echo = await own.spawn<Echo>(file);
  for (let i = 0; i < 50; i++) await echo.add(i, 1);
  await own.shutdown();
  await pause(5);
  expect(polls()).toBe(false);
});
