// The calls that wait for a place, in lines. Within a line the order is that of arrival; the lines take turns, so that a call
// which only some replicas may take does not hold up those that others could take.
import type { WaitingCall } from './waiting-call.js';

interface Line {
  calls: WaitingCall[];
  head: number;
  /** Entries that left before their turn. */
  gone: number;
}

/** Entries that left are swept out when there are more of them than this, and than of the others. */
const SWEEP = 64;

export class CallQueue {
  readonly #lines = new Map<string, Line>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(label: string, call: WaitingCall): void {
    let line = this.#lines.get(label);
    if (!line) this.#lines.set(label, (line = { calls: [], head: 0, gone: 0 }));
    line.calls.push(call);
    this.#size++;
  }

  /** A call left before its turn. */
  left(label: string): void {
    this.#size--;
    const line = this.#lines.get(label);
    if (!line || ++line.gone <= SWEEP || line.gone * 2 <= line.calls.length - line.head) return;
    line.calls = line.calls.slice(line.head).filter(({ done }) => !done);
    line.head = 0;
    line.gone = 0;
    if (line.calls.length === 0) this.#lines.delete(label);
  }

  /** Asks `place` for the first call of each line until it finds none a place. */
  pump(place: (call: WaitingCall) => boolean): void {
    for (let placed = this.#size > 0; placed; ) {
      placed = false;
      for (const [label, line] of this.#lines) {
        const call = this.#first(label, line);
        if (!call) continue;
        if (place(call)) {
          line.head++;
          this.#size--;
          placed = true;
          // It left instead of being placed: the next one of its line may have more luck.
        } else if (call.done) placed = true;
      }
    }
  }

  #first(label: string, line: Line): WaitingCall | undefined {
    const { calls } = line;
    while (line.head < calls.length) {
      const call = calls[line.head]!;
      if (!call.done) {
        if (line.head > 1024 && line.head * 2 > calls.length) {
          line.calls = calls.slice(line.head);
          line.head = 0;
        }
        return call;
      }
      line.head++;
    }
    this.#lines.delete(label);
    return undefined;
  }

  /** Sorts everything into lines anew. */
  relabel(label: (call: WaitingCall) => string): void {
    const waiting = this.all().sort((a, b) => a.since - b.since);
    this.#lines.clear();
    this.#size = 0;
    for (const call of waiting) this.push(label(call), call);
  }

  all(): WaitingCall[] {
    return [...this.#lines.values()].flatMap(({ calls, head }) => calls.slice(head).filter(({ done }) => !done));
  }

  /** When the call that has waited longest came; undefined when none waits. */
  oldest(): number | undefined {
    let oldest: number | undefined;
    for (const [label, line] of this.#lines) {
      const since = this.#first(label, line)?.since;
      if (since !== undefined && (oldest === undefined || since < oldest)) oldest = since;
    }
    return oldest;
  }
}
