// Frames whose bytes are malformed: headers that lie, packed forms that claim more than they have, what no packer makes.
import type { Case } from './cases.js';
import { FREE, Kind, Tag } from './entries.js';
import { bodyOf, pack, Raw, repeat, sized, u32 } from './raw-bytes.js';

const GIGA = 0xffff_ffff;

/** Packed forms that stand for a whole batch, for a slot, and inside of a payload. */
const FORMS: readonly [string, Uint8Array][] = [
  ['a list of four billion', sized(0xdd, GIGA)],
  ['a list of 60 million', sized(0xdd, 60_000_000)],
  ['a list of 16 million with one item', Buffer.concat([sized(0xdd, 16_000_000), Buffer.of(1)])],
  ['a map of four billion', sized(0xdf, GIGA)],
  ['a map of 60 million', sized(0xdf, 60_000_000)],
  ['a text of four billion', Buffer.concat([sized(0xdb, GIGA), Buffer.of(65)])],
  ['a text of 500 million', Buffer.concat([sized(0xdb, 500_000_000), Buffer.of(65)])],
  ['bytes of four billion', Buffer.concat([sized(0xc6, GIGA), Buffer.of(1)])],
  ['bytes of two billion', Buffer.concat([sized(0xc6, 2 ** 31 - 1), Buffer.of(1)])],
  ['an extension of four billion', Buffer.concat([sized(0xc9, GIGA), Buffer.of(1, 1)])],
  ['an unknown extension', Buffer.of(0xc7, 1, 99, 0)],
  ['the extension of errors', Buffer.of(0xd4, 0x65, 0, 0x93, 0xa1, 65, 0xa1, 65, 0xc0)],
  ['the extension of regular expressions', Buffer.of(0xd4, 0x78, 0, 0x92, 0xa1, 65, 0xa0)],
  ['the extension of references', Buffer.of(0xd6, 0x70, 0, 0, 0, 1)],
  ['the extension of structured clones', Buffer.of(0xd6, 0x69, 0, 0, 0, 1, 0x91, 1)],
  ['the extension of typed arrays', Buffer.of(0xc7, 2, 0x74, 1, 1)],
  ['the extension of bundled strings', Buffer.of(0xd6, 0x62, 0xff, 0xff, 0xff, 0xff, 0x91, 0x01)],
  ['a record without keys', Buffer.of(0xd4, 0x72, 0x40)],
  ['a record whose keys are a number', Buffer.of(0xd4, 0x72, 0x40, 7, 1)],
  ['a record whose keys are maps', Buffer.of(0xd4, 0x72, 0x40, 0x91, 0x81, 1, 2, 1)],
  ['a record of the name __proto__', Buffer.concat([Buffer.of(0xd4, 0x72, 0x40, 0x91, 0xa9), Buffer.from('__proto__'), Buffer.of(0x81, 0xa1, 65, 1)])],
  ['a record that was never defined', Buffer.of(0x7f)],
  ['records that are defined again', Buffer.concat([Buffer.of(0x93), repeat(Buffer.of(0xd4, 0x72, 0x40, 0x91, 0xa1, 65, 1), 3)])],
  ['a record with 32-bit definitions', Buffer.of(0xd5, 0x72, 0x40, 0x40, 0x91, 0xa1, 65, 1)],
  ['the reserved byte', Buffer.of(0x91, 0xc1)],
  ['a deep nest', repeat(Buffer.of(0x91), 1_000_000)],
  ['a deep nest of maps', Buffer.concat([repeat(Buffer.of(0x81, 0xa1, 65), 300_000), Buffer.of(1)])],
  ['lists in lists that claim four billion each', repeat(sized(0xdd, GIGA), 1_000)],
  ['lists in lists that claim a million each', repeat(sized(0xdd, 1_000_000), 50)],
  ['nothing', Buffer.alloc(0)],
  ['a malformed bigint', Buffer.of(0xc7, 1, 4, 0x7a)],
  ['a bigint of nothing', Buffer.of(0xc7, 0, 4)],
  ['a short date', Buffer.of(0xc7, 1, 2, 1)],
  ['half a surrogate', Buffer.of(0xc7, 1, 3, 0xd8)],
  ['a text that is not UTF-8', Buffer.of(0xa4, 0xff, 0xfe, 0xc0, 0x80)],
  ['a map with a map for a key', Buffer.of(0x81, 0x81, 1, 2, 3)],
  ['a timestamp', Buffer.of(0xd6, 0xff, 0, 0, 0, 1)],
];

const inBatch: Case[] = FORMS.map(([name, bytes]) => ({ name: `a batch that is ${name}`, amplifies: true, say: (mouth) => mouth.body(bodyOf(bytes)) }));
const inSlot: Case[] = FORMS.map(([name, bytes]) => ({ name: `a slot that is ${name}`, amplifies: true, say: (mouth) => mouth.send([Kind.PING, new Raw(bytes)]) }));
const inPayload: Case[] = FORMS.flatMap(([name, bytes]) =>
  [Tag.PLAIN, Tag.PLAIN + 8, Tag.STANDALONE, Tag.GRAPH].map((tag): Case => ({ name: `a payload of tag ${tag} that is ${name}`, amplifies: true, say: (mouth) => mouth.send([Kind.CALL, FREE, 1, tag, Uint8Array.from(bytes)]) })),
);

const LEGAL = pack([Kind.PING, 1]);
const body = (name: string, bytes: Uint8Array): Case => ({ name, amplifies: true, say: (mouth) => mouth.body(bytes) });

const headers: Case[] = [
  body('an empty frame', Buffer.alloc(0)),
  body('a frame of three bytes', Buffer.of(1, 2, 3)),
  body('a frame that claims more packed bytes than it has', Buffer.concat([u32(GIGA, 0), LEGAL])),
  body('a frame that claims fewer packed bytes than it has', Buffer.concat([u32(1, 0), LEGAL])),
  body('a frame that claims four billion attachments', Buffer.concat([u32(LEGAL.length, GIGA), LEGAL])),
  body('a frame that claims an attachment of four billion bytes', Buffer.concat([u32(LEGAL.length, 1, GIGA), LEGAL])),
  body('a frame with attachments that overlap its end', Buffer.concat([u32(LEGAL.length, 2, 4, 4), LEGAL, Buffer.alloc(5)])),
  body('a frame with an attachment that nobody asks for', bodyOf(LEGAL, [new Uint8Array(10)])),
  body('a frame with bytes behind its end', Buffer.concat([bodyOf(LEGAL), Buffer.alloc(9)])),
  body('a batch that is a number', bodyOf(pack(5))),
  body('a batch that is a map', bodyOf(pack({ 0: Kind.PING, 1: 1 }))),
  body('a batch that is a text', bodyOf(pack('PING'))),
  body('two batches in one', bodyOf(Buffer.concat([LEGAL, LEGAL]))),
  body('a batch that is null', bodyOf(pack(null))),
  body('an empty batch', bodyOf(pack([]))),
];

const claims: Case[] = [-1, 0.5, NaN, 1, 2 ** 31, 2 ** 53, Infinity].map((count) => ({ name: `a value with ${count} attachments that are not there`, say: (mouth) => mouth.send([Kind.CALL_FULL, FREE, 1, Tag.INLINE, [1], count, undefined]) }));

const kinds: Case[] = [18, 99, 255, -1, 0.5, 2 ** 32, 'CALL', null, undefined, [1], { kind: 1 }, true, 1n, '__proto__', NaN].map((kind) => ({ name: `an entry of kind ${String(typeof kind === 'object' ? JSON.stringify(kind) : kind)}`, say: (mouth) => mouth.send([kind, 1, 2, 3, 4, 5]) }));

const tags: Case[] = [-1, 4, 5, 7, 8, 10, 11, 12, 99, 0.5, NaN, 'PLAIN', null, undefined, [], {}, 1n, true].map((tag) => ({ name: `a value of tag ${String(typeof tag === 'object' ? JSON.stringify(tag) : tag)}`, say: (mouth) => mouth.send([Kind.CALL, FREE, 1, tag, pack([1])]) }));

export const malformedCases = (): Case[] => [...headers, ...inBatch, ...inSlot, ...inPayload, ...claims, ...kinds, ...tags];
