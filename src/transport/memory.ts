// A link between two parties in one thread. Values are encoded as for any link, so both sides see copies, as in production.
import { LinkClosedError } from '../errors.js';
import type { Link, LinkEvents } from '../rpc/link.js';
import type { Transferable } from '../types.js';

class MemoryLink implements Link {
  readonly level = 'objects';
  readonly trusted = true;
  peer: MemoryLink | undefined;
  #events: LinkEvents | undefined;
  #early: [unknown[], unknown[]][] = [];
  #closed = false;

  constructor(readonly label: string) {}

  start(events: LinkEvents): void {
    this.#events = events;
    for (const [entries, attachments] of this.#early.splice(0)) this.deliver(entries, attachments);
  }

  send(entries: unknown[], attachments: unknown[], transfer: Transferable[]): boolean {
    const { peer } = this;
    if (this.#closed || !peer) return true;
    // What a real border would detach is detached here, too.
    const moved = attachments.length > 0 ? structuredClone(attachments, { transfer }) : attachments;
    queueMicrotask(() => peer.deliver(entries, moved));
    return true;
  }

  deliver(entries: unknown[], attachments: unknown[]): void {
    if (this.#closed) return;
    if (this.#events) this.#events.batch(entries, attachments);
    else this.#early.push([entries, attachments]);
  }

  close(error?: Error): void {
    if (this.#closed) return;
    const { peer } = this;
    // Behind what was sent.
    queueMicrotask(() => {
      this.#end(error);
      peer?.#end(error ? new LinkClosedError('the other side closed the link', { cause: error }) : undefined);
    });
  }

  #end(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events?.closed(error);
  }

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
