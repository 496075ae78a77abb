// What the protocol needs of a transport: send a batch, hear of one, close. Transports implement it; rpc knows no sockets.
import type { Transferable } from '../types.js';

/** None of them is called before `start` has returned. */
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
  start(events: LinkEvents): void;
  /** Sends one batch. False: congested, wait for `drain` before sending more of what can wait. */
  send(entries: unknown[], attachments: unknown[], transfer: Transferable[]): boolean;
  /** Reads what has arrived, where that is faster than to wait for the event loop to tell; false: nothing had. */
  readonly poll?: (() => boolean) | undefined;
  /** Bytes that wait to go out. 0 where nobody can tell: between threads. */
  readonly unsent: number;
  /** Reads no more for now. Between threads what comes is in memory already, so there it does nothing. */
  pause(): void;
  /** Reads on. */
  resume(): void;
  /** Ends the link after what was sent; `closed` follows. */
  close(error?: Error): void;
  ref(): void;
  unref(): void;
}
