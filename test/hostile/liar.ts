// A process that lies: it says what its host program wants to hear until it is asked to provoke; then it says the case of that number.
import type { TransferListItem } from 'node:worker_threads';
import { Unpacker } from '#mimas/rpc/unpacker.js';
import type { Case } from './cases.js';
import { entriesOf, helloOf, Kind, liveValue, Node, Tag, graph, type UnderWay } from './entries.js';
import { bodyOf, pack } from './raw-bytes.js';
import type { Batch } from './raw-peer.js';

/** Where it speaks: a socket, the pipe of a child, the port of a thread. */
export interface Channel {
  body(body: Uint8Array): void;
  /** Anything at all, over a port. */
  message?(message: unknown, transfer?: readonly TransferListItem[]): void;
  /** Somebody may still hear it. */
  readonly open: boolean;
  /** It has nothing more to say. */
  end(): void;
}

/** Its methods, in order. */
const METHODS = ['hold', 'items', 'answer', 'provoke', 'fence'] as const;
/** As a process that answers to these names is greeted. */
export const GREETING = [Kind.HELLO, helloOf('liar', ...METHODS.flatMap((name) => [name, name === 'items' ? 1 : 0, -1, 0, 0]))];

const STREAM = 7;
const SIGNAL = 6;
const CALLBACK = 800_001;

export class Liar {
  #calls = new Map<string, number>();
  /** ms that the last lie took to be made: nobody else's time. */
  spent = 0;
  #lent: { function?: number; stream?: number } = {};
  readonly #unpacker = new Unpacker('single');

  constructor(
    private readonly channel: Channel,
    private readonly cases: readonly Case[],
  ) {}

  greet(): void {
    this.#send(GREETING);
  }

  hear({ entries }: Batch): void {
    for (const entry of entriesOf(entries)) {
      const [kind, id, method] = entry as number[];
      const name = kind === Kind.CALL || kind === Kind.CALL_FULL ? METHODS[method!] : undefined;
      if (name === undefined) continue;
      this.#calls.set(name, id!);
      if (name === 'hold') this.#lent = this.#lentBy(entry[4]);
      if (name === 'provoke') this.#provoke((entry[4] as number[])[0]!);
      if (name === 'fence') this.#send([Kind.RESULT, id, Tag.INLINE, 42]);
    }
  }

  #provoke(index: number): void {
    const call = (name: string): number => this.#calls.get(name) ?? 0;
    const underWay: UnderWay = { served: CALLBACK, awaited: call('answer'), read: STREAM, produced: this.#lent.stream ?? 1, signal: SIGNAL, lent: this.#lent.function ?? 1 };
    this.#send([
      [Kind.RESULT_FULL, call('items'), ...liveValue('stream', STREAM)],
      [Kind.CALL_REFERENCE, CALLBACK, underWay.lent, '', ...graph([[0], [Node.ARRAY, 'hold', [1]], [Node.LIVE, 'signal', [SIGNAL]]]), [0]],
    ].flat());
    const began = performance.now();
    this.cases[index]?.say({ underWay, body: (body) => this.channel.body(body), send: (entries, attachments = []) => this.channel.body(bodyOf(pack(entries), attachments)), message: (message, transfer) => this.channel.message!(message, transfer) });
    this.spent = performance.now() - began;
    // What is still open ends as it should.
    this.#send([Kind.RESULT, call('answer'), Tag.INLINE, 1, Kind.END, STREAM, Tag.INLINE, undefined, 0, Kind.RESULT, call('hold'), Tag.INLINE, 1, Kind.RESULT, call('provoke'), Tag.INLINE, 1]);
  }

  #lentBy(payload: unknown): { function?: number; stream?: number } {
    const nodes = this.#unpacker.unpack(payload, false, Infinity) as unknown[][];
    const lent: Record<string, number> = {};
    for (const [node, kind, description] of nodes) if (node === Node.LIVE) lent[kind as string] = (description as number[])[0]!;
    return lent;
  }

  #send(entries: readonly unknown[]): void {
    this.channel.body(bodyOf(pack(entries)));
  }
}
