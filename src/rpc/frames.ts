// The vocabulary of the protocol. A batch is one flat array: kind, then that kind's slots, then the next kind …
// A value takes three slots: tag, payload, number of attachments (see codec.ts); attachments follow the batch in order.

export const PROTOCOL_VERSION = 3;

export const Kind = {
  /** server → client, first: version, process name, names of methods that are not public, [method name, stream 0|1, timeout|-1, idempotent 0|1, concurrency|0]… */
  HELLO: 0,
  /** id, method number, tag, payload — the common call: no attachment, no meta */
  CALL: 1,
  /** id, method number, tag, payload, attachments, meta */
  CALL_FULL: 2,
  /** id, reference, member name ('' for a function), tag, payload, attachments, meta */
  CALL_REFERENCE: 3,
  /** id, tag, payload — no attachment */
  RESULT: 4,
  /** id, value */
  RESULT_FULL: 5,
  /** id, value: the error */
  ERROR: 6,
  /** id, value: the reason */
  CANCEL: 7,
  /** stream, cost, value */
  NEXT: 8,
  /** stream, value: the return value */
  END: 9,
  /** stream, value: the error */
  FAIL: 10,
  /** stream, credit */
  CREDIT: 11,
  /** stream: the consumer left */
  STOP: 12,
  /** reference: the peer keeps it beyond its call */
  RETAIN: 13,
  /** reference: the peer dropped it */
  RELEASE: 14,
  /** reference of a signal, value: the reason */
  ABORT: 15,
  /** number, echoed by PONG */
  PING: 16,
  PONG: 17,
  /** id, value: the error; the method did not run */
  REFUSED: 18,
  /** reference of a signal: it will not abort any more */
  FORGET: 19,
} as const;

/** What numbers of calls, streams and references are: whole, and exact in a double. */
export const isReference = (slot: unknown): slot is number => Number.isSafeInteger(slot) && (slot as number) >= 0;

/** Slots of an entry of each kind, itself included. */
export const SLOTS: readonly number[] = [2, 5, 7, 8, 4, 5, 5, 5, 6, 5, 5, 3, 2, 2, 2, 5, 2, 2, 5, 2];

/** Slots of a common call. */
export const CALL_SLOTS = 5;

/** Limits of one link. Exported so that they can be read in one place. */
export const DEFAULT_LIMITS = {
  /** Largest call or result, bytes. */
  maxFrame: 64 * 1024 * 1024,
  /** Deepest nesting of a value. */
  maxDepth: 1000,
  /** Calls of one link that may run at once; more wait at the caller. */
  maxInFlight: 16_384,
  /** Calls and streams that a serving side works on for one link at once; more are refused. Above what callers send, for callbacks. */
  maxServed: 65_536,
  /** Memory that calls of one link which run or wait may hold with their arguments, bytes; more are refused. */
  maxServedBytes: 512 * 1024 * 1024,
  /** Arguments of one call: about what an engine can spread. */
  maxArguments: 65_536,
  /** Streams that one link may bring at once. */
  maxStreams: 65_536,
  /** Functions and proxies in one value; a stream or a signal counts as eight. Each takes its reader microseconds, without a pause in between. */
  maxLive: 65_536,
  /** Items of all streams of one link that nobody has taken yet, bytes of memory. Above it the link reads no more. */
  maxUnread: 1024 * 1024 * 1024,
  /** Longest that a link stays so, ms; then it is closed. */
  unreadTimeout: 30_000,
  /** Answers of one link that wait for its peer to read them, bytes. Above it the serving side reads no more of its calls. */
  maxBacklog: 32 * 1024 * 1024,
  /** Functions and proxies that one link may have lent and not got back. */
  maxLent: 1_000_000,
  /** Slots of one batch; honest ones have some thousands. */
  maxBatchSlots: 131_072,
  /** Batches that wait to be read while the event loop has its turns, bytes: above it the link reads no more. */
  maxUnreadBatches: 8 * 1024 * 1024,
  /** Characters in all headers of a call. */
  maxHeaders: 65_536,
  /** Calls that may wait for a process that restarts or is full. */
  maxQueue: 1_000_000,
  /** Longest a connection may stay silent before it has shown its token, ms. */
  handshakeTimeout: 5_000,
  /** Connections of one process that may be in their handshake at once; beyond, the oldest makes room. Fewer where few files may be open. */
  maxHandshakes: 1_024,
  /** Links of one listener at once. */
  maxLinks: 16_384,
  /** Bytes that may wait for a peer to read them, at least 16 frames; a link that owes more is lost. */
  maxUnsent: 1024 * 1024 * 1024,
  /** Longest a peer may read nothing at all while much waits for it, ms. */
  stallTimeout: 30_000,
} as const;

export type Limits = { readonly [limit in keyof typeof DEFAULT_LIMITS]: number };

/** The limits of a link that carries up to `maxFrame` bytes at once: a few values of that size are not too much for any of them. */
export function limitsFor(maxFrame: number = DEFAULT_LIMITS.maxFrame, others?: Partial<Limits>): Limits {
  if (maxFrame === DEFAULT_LIMITS.maxFrame && !others) return DEFAULT_LIMITS;
  const few = 8 * maxFrame;
  return {
    ...DEFAULT_LIMITS,
    maxFrame,
    maxServedBytes: Math.max(DEFAULT_LIMITS.maxServedBytes, few),
    maxUnread: Math.max(DEFAULT_LIMITS.maxUnread, few),
    ...others,
  };
}

/** At least so many entries go into one message before it is sent without waiting for the end of the tick. */
export const BATCH_ENTRIES = 16;
/** Up to so many while half of the calls under way fill it: then both sides work at the same time, on as few messages as possible. */
const HALF_ENTRIES = 32;

/** Never more: `maxBatchSlots` are what a peer takes. */
export const MOST_ENTRIES = 8_192;

/** How many entries go into one message while `inFlight` calls are under way. */
export const batchEntries = (inFlight: number): number => Math.min(MOST_ENTRIES, Math.max(BATCH_ENTRIES, Math.min(HALF_ENTRIES, inFlight >> 1), inFlight >> 3));
