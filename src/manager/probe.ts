// Asks whether an event loop still turns. The asking side's own delays are not held against the other side.
import { MAX_TIMEOUT } from '../units.js';

/** True when `answer` came within `ms`; a timer that fires late is given one more round. */
export async function answers(answer: Promise<unknown>, ms: number): Promise<boolean> {
  let answered = false;
  const settled = answer.then(
    () => void (answered = true),
    () => void (answered = true),
  );
  const start = performance.now();
  await raceTimer(settled, ms);
  // This thread was blocked itself: what came meanwhile has yet to be read.
  if (!answered && performance.now() - start > ms + 25) await raceTimer(settled, ms);
  return answered;
}

function raceTimer(settled: Promise<void>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, Math.min(ms, MAX_TIMEOUT));
    void settled.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
