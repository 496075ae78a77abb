// Reads what a link delivers, entry by entry, and tells the session. Values are decoded in the order they came, also those
// that nobody waits for any more: later ones may build on their definitions.
// Invariant: a peer that breaks the protocol loses this link, and nothing else happens; every slot is checked before it is used; no turn of
// the event loop reads for long, whatever a batch holds.
import { ProtocolError, UnauthorizedError } from '../errors.js';
import { Allowance } from './allowance.js';
import { isReference, Kind } from './frames.js';
import type { Imports } from './imports.js';
import { now } from './now.js';
import type { Session } from './session.js';
import { checkCost } from './streams.js';
import { isLong, standInLine, turnIsSpent, type TurnReader } from './turn.js';
import { bytesOf, weigh } from './weight.js';

const NONE: readonly never[] = Object.freeze([]);
/** Entries read between two looks at the clock. */
const ENTRIES_PER_LOOK = 8;
/** A batch of fewer slots is read whole. */
const SMALL_BATCH = 64;

/** A batch that is being read. */
interface Batch {
  readonly entries: readonly unknown[];
  readonly attachments: readonly unknown[];
  /** The next entry. */
  at: number;
  /** The next attachment. */
  attachment: number;
  /** What it takes while it waits, roughly; 0 until then. */
  bytes: number;
}

export class EntryReader implements TurnReader {
  /** What this turn of the event loop has no time for, in the order it came. */
  #waiting: Batch[] = [];
  #inLine = false;
  /** The link is over, as far as reading goes. */
  #over = false;
  #finishing = false;
  readonly #allowance: Allowance;

  constructor(private readonly session: Session) {
    this.#allowance = new Allowance(session, () => this.#continue());
  }

  receive(entries: readonly unknown[], attachments: readonly unknown[]): void {
    if (this.#over) return;
    const batch: Batch = { entries, attachments, at: 0, attachment: 0, bytes: 0 };
    const small = entries.length <= SMALL_BATCH;
    if (entries.length > this.session.limits.maxBatchSlots) this.#refuse(new ProtocolError(`a batch of more than ${this.session.limits.maxBatchSlots} slots`));
    else if (this.#waiting.length > 0 || this.#allowance.spent || turnIsSpent(small ? entries.length : 0) || !this.#readBatch(batch, !small)) this.#wait(batch);
  }

  /** The peer has sent what this side does not read for now. */
  get behind(): boolean {
    return this.#waiting.length > 0 || this.#allowance.spent;
  }

  /** What the owner of the link has in its hands has become less: reading may go on. */
  relieved(): void {
    this.#allowance.relieved();
  }

  /** `bytes` of items that nobody has taken came, or were taken if negative. */
  unread(bytes: number): void {
    this.#allowance.unread(bytes);
  }

  /** The link has ended. What had come before counts, as far as anybody waits for it; calls do not run any more. */
  finish(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#finishing = true;
    for (const batch of waiting) {
      if (this.#over || !this.session.expects) break;
      this.#readBatch(batch, false);
    }
    this.#over = true;
    this.#allowance.end();
  }

  readOn(): boolean {
    this.#inLine = false;
    while (this.#waiting[0] && !this.#allowance.spent) {
      const batch = this.#waiting[0];
      if (!this.#readBatch(batch, true)) {
        this.#inLine = true;
        return false;
      }
      // It may be gone: whoever it told may have ended the link.
      if (this.#waiting[0] !== batch) break;
      this.#waiting.shift();
      this.#allowance.waiting(-batch.bytes);
      if (turnIsSpent(0) && this.#waiting.length > 0) {
        this.#inLine = true;
        return false;
      }
    }
    return true;
  }

  #wait(batch: Batch): void {
    if (this.#over) return;
    this.#waiting.push(batch);
    batch.bytes = memoryOf(batch);
    this.#allowance.waiting(batch.bytes);
    this.#continue();
  }

  #continue(): void {
    if (this.#inLine || this.#waiting.length === 0 || this.#allowance.spent) return;
    this.#inLine = true;
    standInLine(this);
  }

  /** Reads the rest of a batch; false: it has to wait for another turn. */
  #readBatch(batch: Batch, inTurns: boolean): boolean {
    this.session.receivedAt = now();
    try {
      const { length } = batch.entries;
      let counted = batch.at;
      for (let left = ENTRIES_PER_LOOK; batch.at < length; left--) {
        if (left === 0) {
          if (inTurns && (turnIsSpent(batch.at - counted) || isLong(this.session.receivedAt) || this.#allowance.spent)) return false;
          counted = batch.at;
          left = ENTRIES_PER_LOOK;
        }
        this.#readEntry(batch);
        if (this.#over) return true;
      }
    } catch (error) {
      // The peer broke the protocol: this link ends, and nothing else.
      this.#refuse(error instanceof ProtocolError || error instanceof UnauthorizedError ? error : new ProtocolError(`${this.session.peer} sent a frame that cannot be read: ${(error as Error)?.message}`, { cause: error }));
    }
    return true;
  }

  #refuse(error: Error): void {
    this.#over = true;
    this.#waiting = [];
    this.session.options.link.close(error);
  }

  #readEntry(batch: Batch): void {
    const { entries, at } = batch;
    const { session } = this;
    const kind = entries[at];
    const id = entries[at + 1] as number;
    if (kind !== Kind.HELLO && !isReference(id)) throw new ProtocolError(`${session.peer} sent an entry of kind ${nameOf(kind)} without a number`);
    // The place moves on before anybody is told: who hears of an entry may end the link, and then the rest is read from there.
    switch (kind) {
      case Kind.CALL: {
        batch.at = at + 5;
        const tag = entries[at + 3];
        const payload = entries[at + 4];
        const args = session.codec.decode(tag, payload);
        if (this.#finishing) this.#drop();
        else session.dispatcher.call(id, entries[at + 2], args, undefined, this.#takeImports(), this.#heldBy(tag, payload, undefined));
        break;
      }
      case Kind.RESULT: {
        batch.at = at + 4;
        const value = session.codec.decode(entries[at + 2], entries[at + 3]);
        session.answered(id, value, this.#takeImports());
        break;
      }
      case Kind.CALL_FULL: {
        batch.at = at + 7;
        const own = attachmentsOf(batch, entries[at + 5]);
        const args = session.codec.decode(entries[at + 3], entries[at + 4], own);
        if (this.#finishing) this.#drop();
        else session.dispatcher.call(id, entries[at + 2], args, entries[at + 6], this.#takeImports(), this.#heldBy(entries[at + 3], entries[at + 4], own));
        break;
      }
      case Kind.CALL_REFERENCE: {
        batch.at = at + 8;
        const own = attachmentsOf(batch, entries[at + 6]);
        const args = session.codec.decode(entries[at + 4], entries[at + 5], own);
        session.dispatcher.callReference(id, { reference: entries[at + 2], member: entries[at + 3] }, args, entries[at + 7], this.#takeImports(), this.#heldBy(entries[at + 4], entries[at + 5], own));
        break;
      }
      case Kind.RESULT_FULL: {
        const value = this.#value(batch, at + 2);
        session.answered(id, value, this.#takeImports());
        break;
      }
      case Kind.ERROR: {
        const error = this.#value(batch, at + 2);
        this.#drop();
        session.failed(id, error);
        break;
      }
      case Kind.REFUSED: {
        const error = this.#value(batch, at + 2);
        this.#drop();
        session.failed(id, error, true);
        break;
      }
      case Kind.CANCEL: {
        const reason = this.#value(batch, at + 2);
        this.#drop();
        session.dispatcher.cancel(id, reason);
        break;
      }
      case Kind.NEXT: {
        batch.at = at + 6;
        const own = attachmentsOf(batch, entries[at + 5]);
        const item = session.codec.decode(entries[at + 3], entries[at + 4], own);
        // Its cost is of the bytes that came; where it is kept, what they stand for counts.
        const bytes = bytesOf(entries[at + 3], entries[at + 4], own);
        const cost = checkCost(entries[at + 2], bytes);
        session.live.incoming(id).push({ value: item, cost, bytes: weightOf(bytes, entries[at + 4], this.#allowance.crowded), streams: this.#takeImports()?.streams ?? NONE });
        break;
      }
      case Kind.END: {
        const value = this.#value(batch, at + 2);
        session.live.endIncoming(id).end(value, this.#takeImports()?.streams);
        break;
      }
      case Kind.FAIL: {
        const error = this.#value(batch, at + 2);
        this.#drop();
        session.live.endIncoming(id).fail(error);
        break;
      }
      case Kind.CREDIT:
        batch.at = at + 3;
        session.live.outgoing(id)?.grant(entries[at + 2]);
        break;
      case Kind.STOP:
        batch.at = at + 2;
        session.live.outgoing(id)?.stop();
        break;
      case Kind.RETAIN:
        batch.at = at + 2;
        session.exports.retain(id);
        break;
      case Kind.RELEASE:
        batch.at = at + 2;
        session.exports.release(id);
        break;
      case Kind.ABORT: {
        const reason = this.#value(batch, at + 2);
        this.#drop();
        session.live.signals.abort(id, reason);
        break;
      }
      case Kind.FORGET:
        batch.at = at + 2;
        session.live.signals.forget(id);
        break;
      case Kind.PING:
        batch.at = at + 2;
        session.send(Kind.PONG, id);
        break;
      case Kind.PONG:
        batch.at = at + 2;
        session.ponged(id);
        break;
      case Kind.HELLO:
        batch.at = at + 2;
        session.greeted(id);
        break;
      default:
        throw new ProtocolError(`${session.peer} sent an entry of unknown kind ${nameOf(kind)}`);
    }
  }

  /** The value whose three slots begin at `index`; the entry ends with it. */
  #value(batch: Batch, index: number): unknown {
    const { entries } = batch;
    batch.at = index + 3;
    const own = attachmentsOf(batch, entries[index + 2]);
    return this.session.codec.decode(entries[index], entries[index + 1], own);
  }

  #takeImports(): Imports | undefined {
    return this.session.live.takeImports();
  }

  /** What nobody asked for is let go. */
  #drop(): void {
    this.session.live.takeImports()?.release();
  }

  #heldBy(tag: unknown, payload: unknown, attachments: readonly unknown[] | undefined): number {
    return weightOf(bytesOf(tag, payload, attachments), payload, this.session.dispatcher.crowded);
  }
}

/** `exactly`: what the bytes stand for, too. While there is little of it, the bytes alone will do. */
const weightOf = (bytes: number, payload: unknown, exactly: boolean): number => (exactly && payload instanceof Uint8Array ? bytes - payload.byteLength + weigh(payload) : bytes);

function attachmentsOf(batch: Batch, count: unknown): readonly unknown[] | undefined {
  if (count === 0) return undefined;
  const { attachment, attachments } = batch;
  if (!isReference(count) || attachment + count > attachments.length) throw new ProtocolError('attachments are missing');
  batch.attachment += count;
  return attachments.slice(attachment, attachment + count);
}

function memoryOf({ entries, attachments }: Batch): number {
  let bytes = entries.length * 8;
  for (const slot of entries) {
    if (typeof slot === 'string') bytes += slot.length;
    else if (slot instanceof Uint8Array) bytes += slot.byteLength;
  }
  return bytes + bytesOf(undefined, undefined, attachments);
}

const nameOf = (kind: unknown): string => (typeof kind === 'number' ? String(kind) : typeof kind);
