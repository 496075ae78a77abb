// What a session knows of a call that it has sent, or is about to send.
import type { Scope } from './references.js';
import type { IncomingStream } from './streams.js';

/** A call as the session sees it. The client's own object implements it, so that a call costs one allocation. */
export interface PendingCall {
  readonly label: string;
  /** Where its errors come from, for stacks. */
  readonly from: string;
  /** What its arguments lent, if anything. The session's to set. */
  scope?: Scope | undefined;
  settle(value: unknown, streams: readonly IncomingStream[]): void;
  fail(error: unknown): void;
  /** What was sent of it began nothing: the peer refused it, or it never left. */
  unsent(): void;
}
