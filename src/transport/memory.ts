// A link between two parties in one thread. Values are encoded as for any link, so both sides see copies, as in production.
import { LinkClosedError } from '../errors.js';
import type { Link, LinkEvents } from '../rpc/link.js';
import type { Transferable } from '../types.js';

/** Batches that are delivered before timers and sockets get their turn. */
const BATCHES_PER_TURN = 64;

class MemoryLink implements Link {
  readonly level = 'objects';
  readonly trusted = true;
  peer: MemoryLink | undefined;
  #events: LinkEvents | undefined;
  #early: [unknown[], unknown[]][] = [];
  #closed = false;
  #closing = false;
  /** What to do on the other side, in order: deliver, or end. */
  #due: (() => void)[] = [];
  #scheduled = false;
  #delivered = 0;

  constructor(readonly label: string) {}

  start(events: LinkEvents): void {
    this.#events = events;
    if (this.#closed) queueMicrotask(() => events.closed(undefined));
    for (const [entries, attachments] of this.#early.splice(0)) this.deliver(entries, attachments);
  }

  send(entries: unknown[], attachments: unknown[], transfer: Transferable[]): boolean {
    const { peer } = this;
    if (this.#closed || this.#closing || !peer) return true;
    // What a real border would detach is detached here, too.
    const moved = attachments.length > 0 ? structuredClone(attachments, { transfer }) : attachments;
    this.#later(() => peer.deliver(entries, moved));
    return true;
  }

  #later(action: () => void): void {
    this.#due.push(action);
    if (this.#scheduled) return;
    this.#scheduled = true;
    // Microtasks are fast, but two sides that keep answering each other would starve the event loop with them.
    if (++this.#delivered % BATCHES_PER_TURN === 0) setImmediate(this.#run);
    else queueMicrotask(this.#run);
  }

  readonly #run = () => {
    this.#scheduled = false;
    for (const action of this.#due.splice(0)) action();
  };

  deliver(entries: unknown[], attachments: unknown[]): void {
    if (this.#closed) return;
    if (this.#events) this.#events.batch(entries, attachments);
    else this.#early.push([entries, attachments]);
  }

  close(error?: Error): void {
    if (this.#closed || (this.#closing && !error)) return;
    this.#closing = true;
    const { peer } = this;
    if (error) this.#end(error);
    // Behind what was sent.
    this.#later(() => {
      this.#end(error);
      if (peer) peer.#end(error ? new LinkClosedError('the other side closed the link', { cause: error }) : undefined);
    });
  }

  #end(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events?.closed(error);
  }

  get unsent(): number {
    return 0;
  }

  pause(): void {}
  resume(): void {}

  ref(): void {}
  unref(): void {}
}

/** Two ends of one link. */
export function memoryLinks(label = 'in process'): [Link, Link] {
  const left = new MemoryLink(label);
  const right = new MemoryLink(label);
  left.peer = right;
  right.peer = left;
  return [left, right];
}
