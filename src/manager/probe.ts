// Asks whether an event loop still turns. The asking side's own delays are not held against the other side.
import type { Session } from '../rpc/session.js';
import type { RunningProcess } from '../runtime/start.js';
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

/** Whether the event loop of a process turns: false when nothing was heard of it for `ms`. */
export async function loopTurns({ calls, control, incarnation }: RunningProcess, ms: number): Promise<boolean> {
  const answered = (session: Session) => answers(Promise.race([session.ping(), incarnation.exited]), ms);
  let asked: number;
  do {
    asked = performance.now();
    // First behind the call itself: another link may be read before the call is. A link may also be slow by its load alone.
    if ((calls !== control && !calls.closed && (await answered(calls))) || (await answered(control))) return true;
    // Its answer may stand behind much else that this side is still reading, or does not read for now.
  } while (!control.silentSince(asked));
  return false;
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
