// Reads what a link delivers, entry by entry, and tells the session. Values are decoded in the order they came, also those
// that nobody waits for any more: later ones may build on their definitions.
// Invariant: a peer that breaks the protocol loses this link, and nothing else happens.
import { ProtocolError, UnauthorizedError } from '../errors.js';
import { Kind } from './frames.js';
import { now } from './now.js';
import type { Session } from './session.js';
import { BYTES_PER_CREDIT } from './streams.js';
import { turnIsSpent } from './turn.js';

const NOTHING = { entries: [], attachments: [] };

interface Batch { readonly entries: readonly unknown[]; readonly attachments: readonly unknown[] }

export class EntryReader {
  constructor(private readonly session: Session) {}

  /** What this turn of the event loop has no time for, in the order it came. */
  readonly #waiting: Batch[] = [];

  receive(entries: readonly unknown[], attachments: readonly unknown[]): void {
    if (this.#waiting.length > 0) this.#waiting.push({ entries, attachments });
    else if (turnIsSpent(entries.length)) {
      this.#waiting.push({ entries, attachments });
      setImmediate(this.#goOn);
    } else this.#readAll(entries, attachments);
  }

  /** The link has ended: what had come before counts. */
  finish(): void {
    for (let batch = this.#waiting.shift(); batch; batch = this.#waiting.shift()) this.#readAll(batch.entries, batch.attachments);
  }

  readonly #goOn = () => {
    // Taken out only when it has been read: what comes meanwhile has to wait behind it.
    while (this.#waiting[0] && !turnIsSpent(this.#waiting[0].entries.length)) {
      const { entries, attachments } = this.#waiting[0];
      this.#waiting[0] = NOTHING;
      this.#readAll(entries, attachments);
      this.#waiting.shift();
    }
    if (this.#waiting.length > 0) setImmediate(this.#goOn);
  };

  #readAll(entries: readonly unknown[], attachments: readonly unknown[]): void {
    this.session.receivedAt = now();
    try {
      this.#read(entries, attachments);
    } catch (error) {
      // The peer broke the protocol: this link ends, and nothing else.
      const cause = error instanceof ProtocolError || error instanceof UnauthorizedError ? error : new ProtocolError(`${this.session.peer} sent a frame that cannot be read: ${(error as Error)?.message}`, { cause: error });
      this.#waiting.length = 0;
      this.session.options.link.close(cause);
    }
  }

  #read(entries: readonly unknown[], attachments: readonly unknown[]): void {
    let at = 0;
    let attachment = 0;
    const value = (index: number): unknown => {
      const count = entries[index + 2] as number;
      if (count === 0) return this.session.codec.decode(entries[index] as number, entries[index + 1]);
      if (!Number.isInteger(count) || count < 0 || attachment + count > attachments.length) throw new ProtocolError('attachments are missing');
      const own = attachments.slice(attachment, attachment + count);
      attachment += count;
      return this.session.codec.decode(entries[index] as number, entries[index + 1], own);
    };
    while (at < entries.length) {
      const id = entries[at + 1] as number;
      switch (entries[at]) {
        case Kind.CALL:
          this.session.live.beginImports();
          this.session.dispatcher.call(id, entries[at + 2] as number, this.session.codec.decode(entries[at + 3] as number, entries[at + 4]), undefined);
          at += 5;
          break;
        case Kind.RESULT:
          this.session.live.beginImports();
          this.session.answered(id, this.session.codec.decode(entries[at + 2] as number, entries[at + 3]));
          at += 4;
          break;
        case Kind.CALL_FULL: {
          this.session.live.beginImports();
          this.session.dispatcher.call(id, entries[at + 2] as number, value(at + 3), entries[at + 6]);
          at += 7;
          break;
        }
        case Kind.CALL_REFERENCE:
          this.session.live.beginImports();
          this.session.dispatcher.callReference(id, entries[at + 2] as number, String(entries[at + 3]), value(at + 4), entries[at + 7]);
          at += 8;
          break;
        case Kind.RESULT_FULL:
          this.session.live.beginImports();
          this.session.answered(id, value(at + 2));
          at += 5;
          break;
        case Kind.ERROR:
          this.session.live.beginImports();
          this.session.failed(id, value(at + 2));
          at += 5;
          break;
        case Kind.REFUSED:
          this.session.live.beginImports();
          this.session.refused(id, value(at + 2));
          at += 5;
          break;
        case Kind.CANCEL:
          this.session.dispatcher.cancel(id, value(at + 2));
          at += 5;
          break;
        case Kind.NEXT:
          this.session.live.beginImports();
          this.#checkCost(entries[at + 2], entries[at + 4]);
          this.session.live.incoming(id).push(value(at + 3), entries[at + 2], this.session.live.importedStreams());
          at += 6;
          break;
        case Kind.END:
          this.session.live.beginImports();
          this.session.live.endIncoming(id).end(value(at + 2));
          at += 5;
          break;
        case Kind.FAIL:
          this.session.live.beginImports();
          this.session.live.endIncoming(id).fail(value(at + 2));
          at += 5;
          break;
        case Kind.CREDIT:
          this.session.live.outgoing(id)?.grant(entries[at + 2]);
          at += 3;
          break;
        case Kind.STOP:
          this.session.live.outgoing(id)?.stop();
          at += 2;
          break;
        case Kind.RETAIN:
          this.session.exports.retain(id);
          at += 2;
          break;
        case Kind.RELEASE:
          this.session.exports.release(id);
          at += 2;
          break;
        case Kind.ABORT:
          this.session.live.abortSignal(id, value(at + 2));
          at += 5;
          break;
        case Kind.PING:
          this.session.send(Kind.PONG, id);
          at += 2;
          break;
        case Kind.PONG:
          this.session.ponged(id);
          at += 2;
          break;
        case Kind.HELLO:
          this.session.greeted(entries[at + 1]);
          at += 2;
          break;
        default:
          throw new ProtocolError(`${this.session.peer} sent an entry of unknown kind ${String(entries[at])}`);
      }
    }
  }

  /** Who understates the cost of an item could fill this side's memory. */
  #checkCost(cost: unknown, payload: unknown): void {
    const bytes = typeof payload === 'string' ? payload.length : payload instanceof Uint8Array ? payload.byteLength : 0;
    if (bytes > ((cost as number) + 1) * BYTES_PER_CREDIT) throw new ProtocolError('a stream item that is larger than its cost says');
  }
}
