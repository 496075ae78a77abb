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
  /** Nobody can tell what waits where everything is in one memory. */
  readonly unsent = 0;
  #events: LinkEvents | undefined;
  /** What came before it was started, in order; undefined from then on. */
  #early: (() => void)[] | undefined = [];
  #closed = false;
  #closing = false;
  /** What to do on the other side, in order: deliver, or end. */
  #due: (() => void)[] = [];
  #scheduled = false;
  #delivered = 0;

  constructor(readonly label: string) {}

  start(events: LinkEvents): void {
    this.#events = events;
    queueMicrotask(() => {
      const early = this.#early ?? [];
      this.#early = undefined;
      for (const action of early) action();
    });
  }

  send(entries: unknown[], attachments: unknown[], transfer: Transferable[]): boolean {
    const { peer } = this;
    if (this.#closed || this.#closing || !peer) return false;
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
    if (this.#early) this.#early.push(() => this.#events?.batch(entries, attachments));
    else this.#events?.batch(entries, attachments);
  }

  close(error?: Error): void {
    if (this.#closed || (this.#closing && !error)) return;
    this.#closing = true;
    const { peer } = this;
    if (error) {
      if (this.#early) this.#early = [];
      this.#end(error);
    }
    // Behind what was sent.
    this.#later(() => {
      this.#end(error);
      if (peer) peer.#end(error ? new LinkClosedError('the other side closed the link', { cause: error }) : undefined);
    });
  }

  #end(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#early) this.#early.push(() => this.#events?.closed(error));
    else this.#events?.closed(error);
  }

  /** Does nothing: what was sent is here already. */
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
