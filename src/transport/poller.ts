// Looks at the links of this thread that expect something soon, instead of letting its event loop sleep: waking up is most of the
// latency of a call. Invariant: the loop gets its turn at least every `TURN_MS`, and a thread without such links does nothing here.

import { now } from '../rpc/now.js';

/** How long it may go on without a turn of the event loop, ms: one turn costs as much as several looks. */
const TURN_MS = 0.25;

export interface Polled {
  /** By when it gives up, ms of `performance.now()`. */
  readonly until: number;
  /** Handles one message, if one is there. Undefined: only the event loop can tell. */
  readonly poll: (() => boolean) | undefined;
  /** Nothing came in time. */
  gaveUp(): void;
}

const hot = new Set<Polled>();
let waiting = false;
let looking = false;
let turnEnds = 0;
/** A link among them can be read by the event loop only: then that turns, and nothing else is waited for. */
let blind = false;

/** Begins to look at a link. */
export function look(link: Polled): void {
  hot.add(link);
  if (!link.poll) blind = true;
  if (waiting) return;
  waiting = true;
  setImmediate(turn);
}

/** Something was sent: the answer may come within this turn of the event loop. */
export function expect(): void {
  if (looking || blind) return;
  looking = true;
  // Behind the writes of this tick and before the loop.
  process.nextTick(spin);
}

function turn(): void {
  const at = now();
  turnEnds = at + TURN_MS;
  blind = false;
  for (const link of hot) {
    if (link.until <= at) {
      hot.delete(link);
      link.gaveUp();
    } else if (!link.poll) blind = true;
  }
  waiting = hot.size > 0;
  if (!waiting) return;
  // With an immediate waiting, the loop looks for events but does not sleep.
  setImmediate(turn);
  spin();
}

function spin(): void {
  looking = false;
  for (;;) {
    let latest = 0;
    for (const link of hot) {
      // What follows from a message runs when this returns; the next look comes with what is sent then, or with the next turn.
      if (link.poll?.()) return;
      if (link.until > latest) latest = link.until;
    }
    const at = now();
    if (blind || at >= turnEnds || at >= latest) return;
  }
}
