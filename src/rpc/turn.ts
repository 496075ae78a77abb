// How much this turn of the event loop has read from links, all of them together: a peer that answers a hundred thousand calls
// at once must not hold up timers and sockets.
import { now } from './now.js';

/** What may be read in one turn: 4,000 answers, whose callers run in it, too. */
const TURN_SLOTS = 16_384;
/** The same for large values, ms. One batch more may follow: it is not interrupted. */
const TURN_MS = 4;
/** Slots read before a turn is measured at all: light traffic is not to pay for this. */
const FREE_SLOTS = 512;

let read = 0;
let began = 0;
const ended = () => {
  began = 0;
  read = 0;
};

/** Asked before a batch of `slots` slots is read: is it to wait for another turn? */
export function turnIsSpent(slots: number): boolean {
  if (began > 0 && (read > TURN_SLOTS || now() - began > TURN_MS)) return true;
  read += slots;
  if (began === 0 && read >= FREE_SLOTS) {
    began = now();
    // Immediates run when a turn has read all there was to read.
    setImmediate(ended);
  }
  return false;
}
