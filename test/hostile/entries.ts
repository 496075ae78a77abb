// The entries of the protocol as a hostile peer sees them: a legal one of each kind, whose slots can then be spoilt one by one.
import { Kind, PROTOCOL_VERSION, SLOTS } from '#mimas/rpc/frames.js';
import { Tag } from '#mimas/rpc/codec.js';
import { pack } from './raw-bytes.js';

export { Kind, Tag };

/** The entries of a batch, one by one; what cannot be told apart any more comes as the last. */
export function entriesOf(batch: readonly unknown[]): unknown[][] {
  const entries: unknown[][] = [];
  for (let at = 0; at < batch.length; ) {
    const kind = batch[at];
    const slots = (typeof kind === 'number' ? SLOTS[kind] : undefined) ?? batch.length - at;
    entries.push(batch.slice(at, at + slots));
    at += slots;
  }
  return entries;
}

/** What is under way on a link when the hostile entry comes, by number. */
export interface UnderWay {
  /** A call of the peer's that the other side works on. */
  readonly served: number;
  /** A call of the other side that waits for its answer. */
  readonly awaited: number;
  /** A stream that the other side reads. */
  readonly read: number;
  /** A stream that the other side produces. */
  readonly produced: number;
  /** A signal that the peer lent. */
  readonly signal: number;
  /** What the other side has lent. */
  readonly lent: number;
}

/** A greeting that is believed: who it is, and its methods. */
export const helloOf = (name: unknown, ...methods: readonly unknown[]): unknown[] => [PROTOCOL_VERSION, name, [], ...methods];

/** A call number that is not under way. */
export const FREE = 70_001;

export const legalEntries = ({ served, awaited, read, produced, signal, lent }: UnderWay): Record<string, unknown[]> => ({
  HELLO: [Kind.HELLO, helloOf('somebody', 'add', 0, -1, 0, 0)],
  CALL: [Kind.CALL, FREE, 0, Tag.INLINE, [1, 2]],
  CALL_FULL: [Kind.CALL_FULL, FREE, 1, Tag.INLINE, [1], 0, [5_000, 'name', 'value']],
  CALL_REFERENCE: [Kind.CALL_REFERENCE, FREE, lent, '', Tag.INLINE, [1], 0, [5_000]],
  RESULT: [Kind.RESULT, awaited, Tag.INLINE, 1],
  RESULT_FULL: [Kind.RESULT_FULL, awaited, Tag.INLINE, 1, 0],
  ERROR: [Kind.ERROR, awaited, Tag.INLINE, 'no', 0],
  CANCEL: [Kind.CANCEL, served, Tag.INLINE, 'why', 0],
  NEXT: [Kind.NEXT, read, 1, Tag.INLINE, 'item', 0],
  END: [Kind.END, read, Tag.INLINE, undefined, 0],
  FAIL: [Kind.FAIL, read, Tag.INLINE, 'no', 0],
  CREDIT: [Kind.CREDIT, produced, 10],
  STOP: [Kind.STOP, produced],
  RETAIN: [Kind.RETAIN, lent],
  RELEASE: [Kind.RELEASE, lent],
  ABORT: [Kind.ABORT, signal, Tag.INLINE, 'why', 0],
  PING: [Kind.PING, 1],
  PONG: [Kind.PONG, 1],
});

// ── values ──

/** Kinds of nodes in a graph table. */
export const Node = { OBJECT: 0, ARRAY: 1, SPARSE: 2, MAP: 3, SET: 4, DATE: 5, REGEXP: 6, BOX: 7, BUFFER: 8, ATTACHED_BUFFER: 9, VIEW: 10, ERROR: 11, ATTACHED: 12, LIVE: 13 } as const;

/** The three slots of a value that is a graph: the first node is `root` itself. */
export const graph = (table: readonly unknown[], attachments = 0): [number, Uint8Array, number] => [Tag.GRAPH, pack(table), attachments];

export type LiveThing = readonly ['function' | 'signal' | 'stream' | 'readable' | 'proxy', readonly unknown[]];

/** A list of live things, as arguments have it. */
export const liveList = (...things: readonly LiveThing[]): [number, Uint8Array, number] =>
  graph([[0], [Node.ARRAY, ...things.map((_, index) => [index + 1])], ...things.map(([kind, description]) => [Node.LIVE, kind, description])]);

/** One live thing, as a result is. */
export const liveValue = (kind: LiveThing[0], ...description: unknown[]): [number, Uint8Array, number] => graph([[0], [Node.LIVE, kind, description]]);
