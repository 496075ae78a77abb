// Hostile peers with the token that want to use up what the served process has: memory, time, places. Each does its worst, then leaves.
// `hold`: how long it stays after all was said, for what comes of it later.
import { Method } from './against-served.js';
import { graph, Kind, liveList, Node, Tag } from './entries.js';
import { bodyOf, pack, Raw, repeat, sized, u32 } from './raw-bytes.js';
import type { RawPeer } from './raw-peer.js';
import type { Victim } from './victim.js';

const MIB = 1024 * 1024;

export interface Attack {
  readonly name: string;
  /** Ms that the peer stays for, unless the link is closed before. */
  readonly stay?: number;
  /** It ends as soon as this many answers are there, whatever `stay` says. */
  readonly answers?: number;
  run(peer: RawPeer): void | Promise<void>;
  /** After the link has ended; what is wrong. */
  after?(victim: Victim): Promise<string | undefined>;
}

/** `count` entries as one packed batch, made of one that is packed once: an array of millions would cost this side more than the other. */
function batchOf(count: number, entry: readonly unknown[]): Buffer {
  const one = pack(entry).subarray(5);
  return Buffer.concat([sized(0xdd, count * entry.length), repeat(one, count)]);
}
/** The same with a number that counts up, at slot 1. */
function counted(count: number, from: number, entry: readonly unknown[]): Buffer {
  const numbered = [entry[0], new Raw(sized(0xce, from)), ...entry.slice(2)];
  const one = pack(numbered).subarray(5);
  const all = repeat(one, count);
  for (let i = 0; i < count; i++) all.writeUInt32BE(from + i, i * one.length + 2);
  return Buffer.concat([sized(0xdd, count * entry.length), all]);
}
/** A call of `hold` with a list beside which stand so many live things, each with a number of its own. */
function lending(count: number, kind: string, ...more: readonly unknown[]): unknown[] {
  const from = 10;
  const node = pack([Node.LIVE, kind, [new Raw(sized(0xce, from)), ...more]]);
  const number = node.indexOf(sized(0xce, from)) + 1;
  const nodes = repeat(node, count);
  for (let i = 0; i < count; i++) nodes.writeUInt32BE(from + i, i * node.length + number);
  return [Kind.CALL_FULL, 1, Method.hold, Tag.GRAPH, Buffer.concat([sized(0xdd, count + 2), pack([0]), pack([Node.ARRAY]), nodes]), 0, undefined];
}
const call = (method: number, args: readonly unknown[]): unknown[] => [Kind.CALL, 0, method, Tag.INLINE, args];
const deaf = (peer: RawPeer): void => void peer.socket.pause();
/** Of a payload whose 60 MB stand in `Raw`. */
const LARGE = 60_000_000;

export const ATTACKS: readonly Attack[] = [
  {
    name: 'answers that are not read: one batch of 2,400 calls with results of 1 MiB',
    stay: 1_500,
    run(peer) { deaf(peer); peer.sendBody(bodyOf(counted(2_400, 1, call(Method.bytes, [MIB])))); },
  },
  {
    name: 'answers that are not read: 40 batches of 100 such calls',
    stay: 1_500,
    run(peer) { deaf(peer); for (let i = 0; i < 40; i++) peer.sendBody(bodyOf(counted(100, 1 + i * 100, call(Method.bytes, [MIB])))); },
  },
  {
    name: 'errors that are not read: a batch of 500,000 calls of no method',
    stay: 1_000,
    run(peer) { deaf(peer); peer.sendBody(bodyOf(counted(500_000, 1, call(999, [])))); },
  },
  {
    name: 'attachments at cost 1: 40 items of 50 MB for a stream that is not read on',
    stay: 500,
    async run(peer) {
      peer.send([Kind.CALL_FULL, 1, Method.taste, ...liveList(['stream', [5]]), undefined]);
      const attachment = new Uint8Array(50_000_000);
      const body = bodyOf(pack([Kind.NEXT, 5, 1, ...graph([[0], [Node.ATTACHED_BUFFER, 0]], 1)]), [attachment]);
      for (let i = 0; i < 40 && !peer.closed; i++) { peer.sendBody(body); await peer.drained(); }
    },
  },
  {
    name: 'items within their credit: 256 of 1 MiB at their true cost for a stream that is not read on',
    stay: 500,
    async run(peer) {
      peer.send([Kind.CALL_FULL, 1, Method.taste, ...liveList(['stream', [5]]), undefined]);
      const body = bodyOf(pack([Kind.NEXT, 5, 65, Tag.STANDALONE, pack(new Uint8Array(MIB - 10)), 0]));
      for (let i = 0; i < 256 && !peer.closed; i++) { peer.sendBody(body); await peer.drained(); }
    },
  },
  ...([['maps', 0x80], ['lists', 0x90], ['texts', 0xa0]] as const).flatMap(([what, byte]): Attack[] => [
    { name: `60 MB of empty ${what} as one argument`, run: (peer) => void peer.sendBody(bodyOf(pack([Kind.CALL, 1, Method.hold, Tag.STANDALONE, Buffer.concat([Buffer.of(0x91), sized(0xdd, LARGE), repeat(Buffer.of(byte), LARGE)])]))) },
    { name: `60 MB of empty ${what} as a batch`, run: (peer) => void peer.sendBody(bodyOf(Buffer.concat([sized(0xdd, LARGE), repeat(Buffer.of(byte), LARGE)]))) },
  ]),
  { name: '15 million attachments of nothing in one frame', run: (peer) => void peer.sendBody(Buffer.concat([u32(5, 15_000_000), Buffer.alloc(60_000_000), pack([])])) },
  { name: '30 million pings in one frame, echoes not read', stay: 500, run(peer) { deaf(peer); peer.sendBody(bodyOf(batchOf(30_000_000, [Kind.PING, 1]))); } },
  { name: 'pings without end in small frames, echoes not read', stay: 500, async run(peer) { deaf(peer); const body = bodyOf(batchOf(100_000, [Kind.PING, 1])); for (let i = 0; i < 100 && !peer.closed; i++) { peer.sendBody(body); await new Promise((resolve) => setImmediate(resolve)); } } },
  {
    name: 'streams with a credit of 2^31, read for a second, then left',
    stay: 1_000,
    run(peer) { for (const id of [1, 2]) peer.send([Kind.CALL, id, Method.numbers, Tag.INLINE, [1e12]]); for (const stream of [1, 2]) peer.send([Kind.CREDIT, stream, 2 ** 31]); },
  },
  {
    name: 'a stream of bytes with a credit of 2^31, not read',
    stay: 1_000,
    run(peer) { deaf(peer); peer.send([Kind.CALL, 1, Method.chunks, Tag.INLINE, [1e9]]); for (let i = 0; i < 100; i++) peer.send([Kind.CREDIT, 1, 2 ** 31]); },
  },
  {
    name: 'a stream with a credit of 2^31, cut in the middle',
    run: async (peer) => { peer.send([Kind.CALL, 1, Method.numbers, Tag.INLINE, [1e12]]); for (let i = 0; i < 10; i++) peer.send([Kind.CREDIT, 1, 2 ** 31]); await new Promise((resolve) => setTimeout(resolve, 200)); peer.destroy(); },
    // Who pumps into nothing keeps a core busy: the pulse and the honest caller tell.
    stay: 1_000,
  },
  { name: '65,536 streams asked for and not read', stay: 1_500, run: (peer) => void peer.sendBody(bodyOf(counted(65_536, 1, call(Method.numbers, [1e12])))) },
  {
    name: '70,000 streams lent',
    stay: 500,
    run: (peer) => void peer.send(lending(70_000, 'stream')),
  },
  { name: '4,000 calls of 1 ms of work in one batch', stay: 20_000, answers: 4_000, run: (peer) => void peer.sendBody(bodyOf(counted(4_000, 1, call(Method.spin, [1])))) },
  { name: '8,000 calls of 1 ms of work, then gone', run: async (peer) => { peer.sendBody(bodyOf(counted(8_000, 1, call(Method.spin, [1])))); await new Promise((resolve) => setTimeout(resolve, 100)); peer.destroy(); } },
  {
    name: 'a frame in 150,000 pieces',
    stay: 500,
    async run(peer) {
      const body = bodyOf(pack([Kind.CALL, 1, Method.hold, Tag.STANDALONE, Buffer.concat([Buffer.of(0x91), pack('x'.repeat(LARGE))])]));
      await peer.sendPieces(body, Math.ceil(body.length / 150_000));
    },
  },
  ...[2 ** 32 - 1, 2_000_000].map((places): Attack => ({ name: `a list of ${places} holes that the method makes a text of`, stay: 500, run: (peer) => void peer.send([Kind.CALL_FULL, 1, Method.add, ...graph([[0], [Node.ARRAY, [1], 1], [Node.SPARSE, places]]), undefined]) })),
  { name: 'a million functions lent in one call', stay: 500, run: (peer) => void peer.send(lending(1_000_000, 'function', '', 1)) },
  { name: '100,000 signals lent and never ended', stay: 500, run: (peer) => void peer.send(lending(100_000, 'signal')) },
  { name: '100,000 signals as results', stay: 8_000, answers: 100_000, async run(peer) { for (let i = 0; i < 10; i++) { peer.sendBody(bodyOf(counted(10_000, 1 + i * 10_000, call(Method.signal, [])))); await peer.drained(); } } },
  { name: '100,000 functions as results, none of them let go', stay: 8_000, answers: 100_000, async run(peer) { for (let i = 0; i < 10; i++) { peer.sendBody(bodyOf(counted(10_000, 1 + i * 10_000, call(Method.maker, [])))); await peer.drained(); } } },
  { name: '50,000 callbacks that are kept', stay: 1_000, answers: 50_000, run: (peer) => void peer.sendBody(bodyOf(counted(50_000, 1, [Kind.CALL_FULL, 0, Method.keepIt, ...liveList(['function', [7, 'f', 0]]), undefined]))) },
  { name: 'one call number 400,000 times', stay: 500, run: (peer) => void peer.sendBody(bodyOf(batchOf(400_000, [Kind.CALL, 7, Method.hold, Tag.INLINE, []]))) },
  { name: '400,000 calls that wait', stay: 500, run: (peer) => void peer.sendBody(bodyOf(counted(400_000, 1, call(Method.hold, [])))) },
  { name: 'headers of 60 MB', run: (peer) => void peer.send([Kind.CALL_FULL, 1, Method.hold, Tag.INLINE, [], 0, [0, 'a', 'x'.repeat(LARGE)]]) },
  { name: '5 million headers', run: (peer) => void peer.sendBody(bodyOf(Buffer.concat([sized(0xdd, 7), Buffer.concat([Kind.CALL_FULL, 1, Method.hold, Tag.INLINE, [], 0].map(pack)), sized(0xdd, 10_000_001), Buffer.of(0), repeat(Buffer.of(0xa1, 65), 10_000_000)]))) },
  { name: 'a value of 30 million levels', run: (peer) => void peer.send([Kind.CALL, 1, Method.hold, Tag.STANDALONE, repeat(Buffer.of(0x91), 30_000_000)]) },
  { name: 'ten bigints of 6 MB', stay: 500, run: (peer) => void peer.send([Kind.CALL, 1, Method.hold, Tag.STANDALONE, Buffer.concat([Buffer.of(0x9a), ...Array.from({ length: 10 }, () => Buffer.concat([sized(0xc9, 6_000_000), Buffer.of(4), repeat(Buffer.from('f'), 6_000_000)]))])]) },
  { name: 'a table of 100,000 buffers that may grow to 64 MiB each', stay: 500, run: (peer) => void peer.send([Kind.CALL_FULL, 1, Method.hold, ...graph([[0], [Node.ARRAY], ...Array.from({ length: 100_000 }, () => [Node.BUFFER, new Uint8Array(1), 64 * MIB])]), undefined]) },
  { name: 'a table of 5 million nodes', run: (peer) => void peer.send([Kind.CALL_FULL, 1, Method.hold, Tag.GRAPH, Buffer.concat([sized(0xdd, 5_000_001), Buffer.of(0x91, 0), repeat(Buffer.of(0x91, 1), 5_000_000)]), 0, undefined]) },
  {
    name: '60,000 calls that wait for a place, then gone: they do not run',
    async run(peer) { peer.sendBody(bodyOf(counted(60_000, 1, call(Method.single, [])))); await peer.drained(); await new Promise((resolve) => setTimeout(resolve, 300)); peer.destroy(); },
    async after(victim) {
      const then = await victim.ran();
      await new Promise((resolve) => setTimeout(resolve, 200));
      const ran = (await victim.ran()) - then;
      return ran > 1 ? `${ran} calls of a link that is gone ran` : undefined;
    },
  },
];
