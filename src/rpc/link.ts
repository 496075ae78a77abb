// What the protocol needs of a transport: send a batch, hear of one, close. Transports implement it; rpc knows no sockets.
import type { Transferable } from '../types.js';

/** None of these is called while `start` or `send` still runs: whoever starts a link may finish what it is doing first. */
export interface LinkEvents {
  /** One batch arrived; entries and attachments belong to the receiver. */
  batch(entries: readonly unknown[], attachments: readonly unknown[]): void;
  /** The link takes data again after `send` returned false. */
  drain(): void;
  /** Called once, last: undefined after an orderly end, else what broke. */
  closed(error: Error | undefined): void;
}

export interface Link {
  /** `objects`: carries structured-cloneable values and transfers. `bytes`: carries packed batches. */
  readonly level: 'objects' | 'bytes';
  /** For messages: `worker 3`, `tcp 127.0.0.1:4000`. */
  readonly label: string;
  /** False when the peer is another machine or an untrusted program: stacks are then redacted. */
  readonly trusted: boolean;
  /** Bytes that were sent and wait to go out. 0 where nobody can tell: between threads. */
  readonly unsent: number;
  /**
   * Begins to deliver, after it has returned: what came before it was called first, in the order it came, and `closed` behind it,
   * also when the link had ended by then.
   */
  start(events: LinkEvents): void;
  /**
   * Sends one batch. False: congested, wait for `drain` before sending more of what can wait. A link that has ended, is being closed,
   * or whose peer is gone takes nothing and says false; no `drain` follows then, but `closed` does.
   */
  send(entries: unknown[], attachments: unknown[], transfer: Transferable[]): boolean;
  /** Reads what has arrived, where that is faster than to wait for the event loop to tell; false: nothing had. */
  readonly poll?: (() => boolean) | undefined;
  /**
   * The session has enough: nothing more is read until `resume`, but for what has been read already (at most a chunk of the stream).
   * The end of the peer is noticed nevertheless. A link between threads, or within one, cannot: there is no reading to be held
   * back, its messages are in this thread's memory before it could say so.
   */
  pause(): void;
  /** Reads again, unless the link itself has a reason not to: its peer does not read what it was sent. */
  resume(): void;
  /** Ends the link after what was sent; `closed` follows. */
  close(error?: Error): void;
  ref(): void;
  unref(): void;
}
