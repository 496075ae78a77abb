// The calls that wait for a place, in lines. Within a line the order is that of arrival; the lines take turns, so that a call
// which only some replicas may take does not hold up those that others could take.
import type { WaitingCall } from './waiting-call.js';
import { WaitingLine } from './waiting-line.js';

export class CallQueue {
  readonly #lines = new Map<string, WaitingLine>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(label: string, call: WaitingCall): void {
    let line = this.#lines.get(label);
    if (!line) this.#lines.set(label, (line = new WaitingLine()));
    call.label = label;
    line.push(call);
    this.#size++;
  }

  /** A call left before its turn. */
  left({ label }: WaitingCall): void {
    this.#size--;
    const line = this.#lines.get(label);
    if (!line) return;
    line.left();
    if (!line.first()) this.#drop(label, line);
  }

  /** Asks `place` for the first call of each line until it finds none a place. */
  pump(place: (call: WaitingCall) => boolean): void {
    for (let placed = this.#size > 0; placed; ) {
      placed = false;
      for (const [label, line] of this.#lines) {
        const call = line.first();
        if (!call) this.#drop(label, line);
        else if (place(call)) {
          line.shift();
          this.#size--;
          placed = true;
          // It left instead of being placed: the next one of its line may have more luck.
        } else if (call.done) placed = true;
      }
    }
  }

  /** The one line that calls without a key share is kept: it is soon needed again. */
  #drop(label: string, line: WaitingLine): void {
    if (label === '') return;
    line.end();
    this.#lines.delete(label);
  }

  /** Sorts everything into lines anew. */
  relabel(label: (call: WaitingCall) => string): void {
    const waiting = this.all().sort((a, b) => a.since - b.since);
    for (const line of this.#lines.values()) line.end();
    this.#lines.clear();
    this.#size = 0;
    for (const call of waiting) this.push(label(call), call);
  }

  all(): WaitingCall[] {
    return [...this.#lines.values()].flatMap((line) => line.all());
  }

  /** When the call that has waited longest came; undefined when none waits. */
  oldest(): number | undefined {
    let oldest: number | undefined;
    for (const line of this.#lines.values()) {
      const since = line.first()?.since;
      if (since !== undefined && (oldest === undefined || since < oldest)) oldest = since;
    }
    return oldest;
  }
}
