// One timer for all deadlines of a thread: a heap of due times. A deadline that is met costs no timer at all.
// It keeps no program alive by itself; but a program that would end for want of work waits for the calls that have a deadline.
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
/** The timer keeps the program alive. */
let held = false;
let listening = false;
// Taken early, so that fake timers of a test framework do not stop real deadlines.
const { setTimeout, clearTimeout, setImmediate } = globalThis;

export function addDeadline(due: Due): void {
  heap.push(due);
  if (due.dueAt < timerAt) arm(due.dueAt);
  if (listening) return;
  listening = true;
  // Asked for when there is nothing else to do, so that no call pays for it.
  process.on('beforeExit', hold);
}

/** Forgets a deadline that was met. */
export function removeDeadline(due: Due): void {
  heap.remove(due);
  if (held && heap.size === 0) release();
}

function arm(at: number): void {
  clearTimeout(timer);
  timerAt = at;
  held = false;
  timer = setTimeout(check, Math.min(Math.max(0, at - now()), 2 ** 30));
  timer.unref();
}

function hold(): void {
  for (let due = heap.peek(); due?.done; due = heap.peek()) heap.pop();
  const due = heap.peek();
  if (!due) return;
  // The one that is armed may be for a call that has settled since.
  if (due.dueAt !== timerAt) arm(due.dueAt);
  held = true;
  timer?.ref();
}

function release(): void {
  held = false;
  timer?.unref();
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
