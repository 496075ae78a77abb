// Frames of tens of megabytes that a lying process answers with: what they cost is bounded by what they are.
import type { Case, Mouth } from './cases.js';
import { graph, Kind, Node, Tag } from './entries.js';
import { bodyOf, pack, Raw, repeat, sized, u32 } from './raw-bytes.js';

const LARGE = 60_000_000;
const heavy = (name: string, say: (mouth: Mouth) => void): Case => ({ name: `by force: ${name}`, heavy: true, say });
const many = (byte: number): Buffer => Buffer.concat([sized(0xdd, LARGE), repeat(Buffer.of(byte), LARGE)]);

/** So many live things of numbers that count up. */
function lent(count: number, kind: string): Buffer {
  const node = pack([Node.LIVE, kind, [new Raw(sized(0xce, 10)), '', 1]]);
  const at = node.indexOf(sized(0xce, 10)) + 1;
  const nodes = repeat(node, count);
  for (let i = 0; i < count; i++) nodes.writeUInt32BE(10 + i, i * node.length + at);
  return Buffer.concat([sized(0xdd, count + 2), pack([0]), pack([Node.ARRAY]), nodes]);
}

export const heavyCases = (): Case[] => [
  ...([['maps', 0x80], ['lists', 0x90], ['texts', 0xa0], ['numbers', 1]] as const).flatMap(([what, byte]) => [
    heavy(`60 MB of empty ${what} as a result`, ({ underWay, send }) => send([Kind.RESULT, underWay.awaited, Tag.STANDALONE, many(byte)])),
    heavy(`60 MB of empty ${what} as a batch`, ({ body }) => body(bodyOf(many(byte)))),
  ]),
  heavy('15 million attachments of nothing', ({ body }) => body(Buffer.concat([u32(5, 15_000_000), Buffer.alloc(LARGE), pack([])]))),
  heavy('30 million pings', ({ body }) => body(bodyOf(Buffer.concat([sized(0xdd, LARGE), repeat(Buffer.of(Kind.PING, 1), LARGE / 2)])))),
  heavy('items of 50 MB at cost 1', ({ underWay, send }) => { for (let i = 0; i < 20; i++) send([Kind.NEXT, underWay.read, 1, ...graph([[0], [Node.ATTACHED_BUFFER, 0]], 1)], [new Uint8Array(50_000_000)]); }),
  heavy('100,000 signals in a result', ({ underWay, send }) => send([Kind.RESULT_FULL, underWay.awaited, Tag.GRAPH, lent(100_000, 'signal'), 0])),
  heavy('500,000 functions in a result', ({ underWay, send }) => send([Kind.RESULT_FULL, underWay.awaited, Tag.GRAPH, lent(500_000, 'function'), 0])),
  heavy('100,000 streams in a result', ({ underWay, send }) => send([Kind.RESULT_FULL, underWay.awaited, Tag.GRAPH, lent(100_000, 'stream'), 0])),
  heavy('100,000 proxies in a result', ({ underWay, send }) => send([Kind.RESULT_FULL, underWay.awaited, Tag.GRAPH, lent(100_000, 'proxy'), 0])),
  heavy('credit without end for what was lent', ({ underWay, send }) => { for (let i = 0; i < 100; i++) send([Kind.CREDIT, underWay.produced, 2 ** 31]); }),
  heavy('100,000 calls of what was lent', ({ underWay, body }) => { const one = pack([Kind.CALL_REFERENCE, 5_000_001, underWay.lent, '', Tag.INLINE, ['hold'], 0, [0]]).subarray(5); body(bodyOf(Buffer.concat([sized(0xdd, 800_000), repeat(one, 100_000)]))); }),
];
