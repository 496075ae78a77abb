// Collects the entries of a tick into one batch, because one message per call costs more than the call itself.
// Flushes at the end of the tick, or early once enough is gathered so that both sides work at the same time.
import { types } from 'node:util';
import { NotCloneableError, ProtocolError } from '../errors.js';
import { BATCH_ENTRIES, Kind, SLOTS } from './frames.js';
import type { Link } from './link.js';
import { now } from './now.js';
import type { Transferable } from '../types.js';

/** A batch with more than this is sent without waiting for the end of the tick. */
export const MAX_BATCH_BYTES = 65_536;

const NONE: readonly never[] = Object.freeze([]);

export class Outbox {
  /** Push the slots of one entry here, then call `commit`. */
  entries: unknown[] = [];
  congested = false;
  #attachments: unknown[] = [];
  #transfer: Transferable[] = [];
  #bytes = 0;
  #count = 0;
  #scheduled = false;
  /** Where the entry that is being pushed begins. */
  #start = 0;
  #alone = false;
  /** When the batch was begun that the last entry is in: one look at the clock for all that leave together. */
  begunAt = 0;
  /** Early-flush threshold; the session raises it when many calls are in flight. */
  limit = BATCH_ENTRIES;

  /** The numbers of the calls that had not left when the link ended. */
  unsent: readonly number[] = NONE;

  constructor(private readonly link: Link) {}

  /** Adds what belongs to the value that was just pushed. */
  attach(attachments: readonly unknown[], transfer: readonly Transferable[] | undefined): void {
    // Only the engine knows whether a host object can leave (a port may be closed, or gone already). Such a value travels
    // alone, so that a refusal hits nobody else.
    if (!attachments.every(isBytes)) {
      const own = this.entries.splice(this.#start);
      this.flush();
      this.entries = own;
      this.#alone = true;
    }
    for (const attachment of attachments) this.#attachments.push(attachment);
    if (transfer) for (const item of transfer) this.#transfer.push(item);
  }

  /** Ends an entry of about `size` bytes. @throws NotCloneableError when a host object in it cannot leave */
  commit(size = 0): void {
    if (this.#count === 0) this.begunAt = now();
    this.#bytes += size;
    this.#start = this.entries.length;
    if (this.#alone) {
      this.#count++;
      this.#flushAlone();
      return;
    }
    // Large values are not gathered: a batch must not grow far past the frame limit of the peer.
    if (++this.#count >= this.limit || this.#bytes > MAX_BATCH_BYTES) this.flush();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      process.nextTick(this.#flushScheduled);
    }
  }

  /** The link has ended: what is here will not leave. */
  ended(): void {
    const { entries } = this;
    const calls: number[] = [];
    for (let at = 0; at < entries.length; at += SLOTS[entries[at] as number]!) {
      const kind = entries[at];
      if (kind === Kind.CALL || kind === Kind.CALL_FULL || kind === Kind.CALL_REFERENCE) calls.push(entries[at + 1] as number);
    }
    this.unsent = calls;
  }

  readonly #flushScheduled = () => {
    this.#scheduled = false;
    this.flush();
  };

  /** Sends what was gathered. Never throws: a batch that cannot be sent ends the link, since nobody knows whose fault it is. */

  flush(): void {
    try {
      this.#send();
    } catch (error) {
      this.link.close(new ProtocolError(`a batch cannot be sent over ${this.link.label}: ${(error as Error).message}`, { cause: error }));
    }
  }

  #send(): void {
    if (this.#count === 0) return;
    const { entries } = this;
    // Handed over, never kept: the link may hold on to them.
    const attachments = this.#attachments;
    const transfer = this.#transfer;
    this.entries = [];
    this.#attachments = [];
    this.#transfer = [];
    this.#bytes = 0;
    this.#count = 0;
    this.#start = 0;
    if (!this.link.send(entries, attachments, transfer)) this.congested = true;
  }

  #flushAlone(): void {
    this.#alone = false;
    try {
      this.#send();
    } catch (error) {
      throw new NotCloneableError(`a host object cannot be sent: ${(error as Error).message}`, { path: 'transfer', cause: error });
    }
  }
}

const isBytes = (item: unknown): boolean => types.isArrayBuffer(item) || types.isUint8Array(item);
