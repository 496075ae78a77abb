// One timer for all deadlines of a thread: a heap of due times. A deadline that is met costs no timer at all.
// A loop that was blocked proves nothing about the peer, so a late timer first lets what has arrived be read.
import { Heap, type Placed } from '../heap.js';
import { now } from './now.js';

export interface Due extends Placed {
  /** Milliseconds of `performance.now()`. */
  dueAt: number;
  /** No longer of interest: settled. Skipped when its time comes. */
  readonly done: boolean;
  expire(): void;
}

/** A timer that fires later than this was held up by this thread's own loop. */
const LATE_MS = 25;
/** Longest extra time that one such delay earns. */
const MAX_GRACE_MS = 1_000;

const heap = new Heap<Due>((a, b) => a.dueAt - b.dueAt);
let timer: NodeJS.Timeout | undefined;
let timerAt = Infinity;
// Taken early, so that fake timers of a test framework do not stop real deadlines.
const { setTimeout, clearTimeout, setImmediate } = globalThis;

export function addDeadline(due: Due): void {
  heap.push(due);
  if (due.dueAt < timerAt) arm(due.dueAt);
}

/** Forgets a deadline that was met. */
export function removeDeadline(due: Due): void {
  heap.remove(due);
}

function arm(at: number): void {
  clearTimeout(timer);
  timerAt = at;
  timer = setTimeout(check, Math.min(Math.max(0, at - now()), 2 ** 30));
  timer.unref();
}

function check(): void {
  const lateness = now() - timerAt;
  timerAt = Infinity;
  // Two turns of the loop read what the sockets and ports hold already; after a long block there may be more than that.
  if (lateness > LATE_MS) setTimeout(() => setImmediate(expireDue), Math.min(lateness, MAX_GRACE_MS));
  else setImmediate(expireDue);
}

function expireDue(): void {
  const time = now();
  for (let due = heap.peek(); due !== undefined && (due.done || due.dueAt <= time); due = heap.peek()) {
    heap.pop();
    if (!due.done) due.expire();
  }
  const next = heap.peek();
  if (next) arm(next.dueAt);
}
