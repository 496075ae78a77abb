// How much one turn of the event loop reads from links, all of them together: a peer that sends a hundred thousand calls at once must
// not hold up timers, sockets and other peers. What is left over waits in one line, where every link has its turn.
import { now } from './now.js';

/** Who reads what a link has brought. */
export interface TurnReader {
  /** Reads on until the turn is spent; false: something is left. */
  readOn(): boolean;
}

/** What may be read in one turn: 4,000 answers, whose callers run in it, too. */
const TURN_SLOTS = 16_384;
/** The same for slow calls and large values, ms. */
const TURN_MS = 4;
/** Slots read before a turn is measured at all: light traffic is not to pay for this, since it makes the event loop turn once more. */
const FREE_SLOTS = 512;

let read = 0;
let began = 0;
const line: TurnReader[] = [];
let waiting = false;

/** Counts `slots` slots that are read, and answers whether what comes next has to wait for another turn. */
export function turnIsSpent(slots: number): boolean {
  if (began > 0 && (read > TURN_SLOTS || now() - began > TURN_MS)) return true;
  read += slots;
  if (began === 0 && read >= FREE_SLOTS) {
    began = now();
    // Immediates run when a turn has read all there was to read.
    setImmediate(endTurn);
  }
  return false;
}

/** Whether what began at `since` has taken a turn's time already. */
export const isLong = (since: number): boolean => now() - since > TURN_MS;

/** Lets `reader` read on in turns to come, behind those that wait already. */
export function standInLine(reader: TurnReader): void {
  line.push(reader);
  if (waiting) return;
  waiting = true;
  setImmediate(serveLine);
}

function endTurn(): void {
  began = 0;
  read = 0;
}

function serveLine(): void {
  waiting = false;
  began = now();
  read = 0;
  try {
    for (let reader = line.shift(); reader; reader = line.shift()) {
      if (!reader.readOn()) line.push(reader);
      if (turnIsSpent(0)) break;
    }
  } finally {
    // Also when somebody threw: the others have their turns.
    if (!waiting) {
      waiting = line.length > 0;
      // The turn goes on until the loop has looked for what has come meanwhile.
      setImmediate(waiting ? serveLine : endTurn);
    }
  }
}
