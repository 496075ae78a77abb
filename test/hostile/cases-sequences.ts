// Entries that are legal one by one and wrong where they stand: numbers that are not under way, what belongs to somebody else, more than
// was asked for, doors that are not the peer's.
import type { Case, Mouth } from './cases.js';
import { FREE, graph, helloOf, Kind, liveList, liveValue, Node, Tag, type UnderWay } from './entries.js';

type Entries = (underWay: UnderWay) => readonly unknown[];
const one = (name: string, entries: Entries): Case => ({ name, say: (mouth) => mouth.send(entries(mouth.underWay)) });
const many = (count: number, entry: (index: number) => readonly unknown[]): unknown[] => Array.from({ length: count }, (_, index) => entry(index)).flat();

const greetings: Case[] = [
  one('a second greeting', () => [Kind.HELLO, helloOf('again'), Kind.HELLO, helloOf('again')]),
  one('a greeting of another version', () => [Kind.HELLO, [99, 'other', []]]),
  one('a greeting of version NaN', () => [Kind.HELLO, [NaN, 'other', []]]),
  one('a greeting with reserved methods', () => [Kind.HELLO, helloOf('x', 'then', 0, -1, 0, 0, '$with', 0, -1, 0, 0)]),
  one('a greeting whose numbers are objects', () => [Kind.HELLO, helloOf({ toString: 1 }, 'add', {}, {}, {}, {})]),
  one('a greeting of 200,000 methods', () => [Kind.HELLO, [...helloOf('x'), ...many(200_000, (index) => [`m${index}`, 0, -1, 0, 0])]]),
  one('a greeting whose withheld names are a method of everything', () => [Kind.HELLO, [...helloOf('x').slice(0, 2), ['then', '__proto__', { toString: 1 }], 'add', 0, -1, 0, 0]]),
  one('a greeting that withholds 200,000 names', () => [Kind.HELLO, [...helloOf('x').slice(0, 2), many(200_000, (index) => [`m${index}`])]]),
  one('a greeting with half a method', () => [Kind.HELLO, helloOf('x', 'add', 0)]),
];

const calls: Case[] = [
  ...[-1, 0.5, 999, 2 ** 32, 2 ** 53, 'length', '__proto__', 'constructor', NaN, [0], { toString: 1 }].map((number) => one(`a call of method ${JSON.stringify(number)}`, () => [Kind.CALL, FREE, number, Tag.INLINE, []])),
  one('a call whose number is under way', ({ served }) => [Kind.CALL, served, 2, Tag.INLINE, []]),
  one('one number for 5,000 calls', () => many(5_000, () => [Kind.CALL, FREE, 2, Tag.INLINE, []])),
  one('an answer to a call that was never made', () => [Kind.RESULT, 123_456, Tag.INLINE, 1, Kind.ERROR, 123_457, Tag.INLINE, 1, 0]),
  one('an answer to a call that was never made, with a stream', () => [Kind.RESULT_FULL, 123_456, ...liveValue('stream', 77)]),
  one('two answers to one call', ({ awaited }) => [Kind.RESULT, awaited, Tag.INLINE, 1, Kind.RESULT, awaited, Tag.INLINE, 2]),
  one('the end of a call that was never made', () => [Kind.CANCEL, 123_456, Tag.INLINE, 'x', 0]),
  one('a call that is ended twice', ({ served }) => [Kind.CANCEL, served, Tag.INLINE, 'x', 0, Kind.CANCEL, served, Tag.INLINE, 'x', 0]),
  one('a call number of 2^53', () => [Kind.CALL, 2 ** 53, 0, Tag.INLINE, [1, 2]]),
  one('a call number below zero', () => [Kind.CALL, -7, 0, Tag.INLINE, [1, 2]]),
  one('answers without end', () => many(100_000, (index) => [Kind.RESULT, index + 1_000_000, Tag.INLINE, 1])),
];

const streams: Case[] = [
  ...(['NEXT', 'END', 'FAIL'] as const).map((kind) => one(`${kind} of a stream that is not there`, () => [Kind[kind], 987_654, ...(kind === 'NEXT' ? [1] : []), Tag.INLINE, 'x', 0])),
  ...(['NEXT', 'END', 'FAIL'] as const).map((kind) => one(`${kind} of a stream that the other side produces`, ({ produced }) => [Kind[kind], produced + 1_000, ...(kind === 'NEXT' ? [1] : []), Tag.INLINE, 'x', 0])),
  one('credit for a stream that is not there', () => [Kind.CREDIT, 987_654, 5]),
  one('a stop of a stream that is not there', () => [Kind.STOP, 987_654]),
  one('credit of 2^31', ({ produced }) => [Kind.CREDIT, produced, 2 ** 31]),
  one('credit of 2^31, a hundred times', ({ produced }) => many(100, () => [Kind.CREDIT, produced, 2 ** 31])),
  one('credit of 2^31 + 1', ({ produced }) => [Kind.CREDIT, produced, 2 ** 31 + 1]),
  one('credit behind the stop', ({ produced }) => [Kind.STOP, produced, Kind.CREDIT, produced, 5]),
  one('items past the credit', ({ read }) => many(2_000, () => [Kind.NEXT, read, 1, Tag.INLINE, 'x', 0])),
  one('items of cost 2^31', ({ read }) => many(10, () => [Kind.NEXT, read, 2 ** 31, Tag.INLINE, 'x', 0])),
  one('an item behind the end', ({ read }) => [Kind.END, read, Tag.INLINE, 1, 0, Kind.NEXT, read, 1, Tag.INLINE, 'x', 0, Kind.END, read, Tag.INLINE, 1, 0]),
  one('an item that costs less than it is', ({ read }) => [Kind.NEXT, read, 1, Tag.INLINE, 'x'.repeat(1_000_000), 0]),
  { name: 'an attachment that costs less than it is', say: (mouth) => mouth.send([Kind.NEXT, mouth.underWay.read, 1, ...graph([[0], [Node.ATTACHED_BUFFER, 0]], 1)], [new Uint8Array(1_000_000)]) },
  one('a stream of streams', ({ read }) => many(200, (index) => [Kind.NEXT, read, 1, ...liveValue('stream', 5_000 + index)])),
  one('a stream that is in itself', ({ read }) => [Kind.NEXT, read, 1, ...liveValue('stream', read)]),
];

const references: Case[] = [
  one('RETAIN of reference 0', () => [Kind.RETAIN, 0]),
  one('RELEASE of reference 0', () => [Kind.RELEASE, 0]),
  one('RETAIN and RELEASE of what was never lent', () => [Kind.RETAIN, 555, Kind.RELEASE, 555, Kind.RELEASE, -1, Kind.RETAIN, 0.5]),
  one('RELEASE of what is lent, and a call of it', ({ lent }) => [Kind.RELEASE, lent, Kind.CALL_REFERENCE, FREE, lent, '', Tag.INLINE, [1], 0, undefined]),
  one('RELEASE of all, twice', () => many(2_000, (index) => [Kind.RELEASE, index % 1_000])),
  one('RETAIN of all', () => many(1_000, (index) => [Kind.RETAIN, index])),
  ...['then', '$with', 'constructor', 'toString', '__proto__', 'hasOwnProperty', 'invoke'].map((member) => one(`a call of the member ${member} of what was lent`, ({ lent }) => [Kind.CALL_REFERENCE, FREE, lent, member, Tag.INLINE, [], 0, undefined])),
  ...['start', 'stop', 'usage', 'health', 'constructor', ''].map((member) => one(`the control surface: ${member}`, () => [Kind.CALL_REFERENCE, FREE, 0, member, Tag.INLINE, [{ reason: 'x', drain: 0, hooks: 0 }].slice(0, 0), 0, undefined])),
  one('the control surface: stop, as its owner says it', () => [Kind.CALL_REFERENCE, FREE, 0, 'stop', ...graph([[0], [Node.ARRAY, [1]], [Node.OBJECT, 'reason', 'hostile', 'drain', 0, 'hooks', 0]]), undefined]),
  ...[-0, 0.5, NaN, '0', null, false].map((reference) => one(`the control surface under the name ${String(reference)}`, () => [Kind.CALL_REFERENCE, FREE, reference, 'usage', Tag.INLINE, [], 0, undefined])),
  one('ABORT of what is no signal', ({ read, lent }) => [Kind.ABORT, read, Tag.INLINE, 'x', 0, Kind.ABORT, lent, Tag.INLINE, 'x', 0, Kind.ABORT, 0, Tag.INLINE, 'x', 0]),
  one('ABORT twice', ({ signal }) => [Kind.ABORT, signal, Tag.INLINE, 'x', 0, Kind.ABORT, signal, Tag.INLINE, 'x', 0]),
  one('an argument that lends the same number a hundred times', () => [Kind.CALL_FULL, FREE, 2, ...liveList(...Array.from({ length: 100 }, () => ['function', [5, 'f', 1]] as const)), undefined]),
];

const MANY_PINGS = 100_000;
const pings: Case[] = [
  one('a flood of pings', () => many(MANY_PINGS, (index) => [Kind.PING, index])),
  one('a flood of pongs', () => many(MANY_PINGS, (index) => [Kind.PONG, index])),
  ...[{ a: 1 }, [1, [2]], 'x'.repeat(1_000_000), new Uint8Array(1_000_000), 2n ** 70n].map((number) => one(`a ping of ${typeof number === 'object' ? number.constructor.name : typeof number}`, () => [Kind.PING, number])),
];

const metas: Case[] = (
  [
    ['a deadline below zero', [-5]], ['a deadline of NaN', [NaN]], ['a deadline of 1e308', [1e308]], ['a deadline of Infinity', [Infinity]], ['a deadline that is a list', [[[1]]]], ['a deadline that is an object', [{ toString: 1 }]], ['a deadline that is a bigint', [10n]],
    ['a header of the name __proto__', [0, '__proto__', 'x', 'constructor', 'y']], ['a header whose name is an object', [0, { toString: 1 }, 'x']], ['a header whose value is an object', [0, 'a', { toString: 1 }]], ['a header without a value', [0, 'a']],
    ['100,000 headers', () => [0, ...many(100_000, (index) => [`h${index}`, 'x'])]], ['a header of a megabyte', [0, 'a', 'x'.repeat(1_000_000)]], ['options that are no JSON', [0, 'mimas-options', '{']], ['options that are null', [0, 'mimas-options', 'null']],
    ['options of wrong types', [0, 'mimas-options', '{"key":1,"idempotent":"x","timeout":"-5","queueTimeout":"x"}']], ['a caller that lies', [0, 'mimas-caller', 'x'.repeat(100_000)]], ['a traceparent of nonsense', [0, 'traceparent', '00-zz']],
  ] as const
).flatMap(([name, meta]) => [
  one(`a call with ${name}`, () => [Kind.CALL_FULL, FREE, 1, Tag.INLINE, [1], 0, typeof meta === 'function' ? meta() : meta]),
  one(`a call of what was lent with ${name}`, ({ lent }) => [Kind.CALL_REFERENCE, FREE, lent, '', Tag.INLINE, [1], 0, typeof meta === 'function' ? meta() : meta]),
]);

/** Each entry alone is harmless; a batch mixes them with one that cannot be read. */
const halves: Case[] = [
  { name: 'a good call and a bad entry in one batch', say: (mouth: Mouth) => mouth.send([Kind.CALL, FREE, 0, Tag.INLINE, [1, 2], 99, 1]) },
  { name: 'a bad frame and a good one behind it', say: (mouth: Mouth) => { mouth.send([99]); mouth.send([Kind.CALL, FREE, 0, Tag.INLINE, [1, 2]]); } },
  { name: 'a thousand frames of one ping each', say: (mouth: Mouth) => { for (let i = 0; i < 1_000; i++) mouth.send([Kind.PING, i]); } },
];

export const sequenceCases = (): Case[] => [...greetings, ...calls, ...streams, ...references, ...pings, ...metas, ...halves];
