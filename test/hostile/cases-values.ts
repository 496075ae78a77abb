// Values that no honest codec makes: tables with bad references, sizes that are claimed, names that mean something to whoever holds
// the value. Each is told as an argument, a result, an item, an error and a reason.
import type { Case, Mouth } from './cases.js';
import { FREE, graph, Kind, liveValue, Node, Tag } from './entries.js';
import { BIGINT, pack, Raw, repeat, sized } from './raw-bytes.js';

type Value = readonly [tag: unknown, payload: unknown, attachments: unknown];

const MIB = 1024 * 1024;
const SHORT = new Uint8Array(4);
const listOf = (length: number, node: (index: number) => unknown[]): unknown[] => [[0], [Node.ARRAY, ...Array.from({ length }, (_, index) => [index + 1])], ...Array.from({ length }, (_, index) => node(index))];
const holes = (length: number): Value => graph([[0], [Node.SPARSE, length]]);
const bigOf = (digits: number): Value => [Tag.STANDALONE, Buffer.concat([Buffer.of(0x91), sized(0xc9, digits), Buffer.of(BIGINT), repeat(Buffer.from('f'), digits)]), 0];
const proxy = (methods: readonly string[]): Value => graph([[0], [Node.ARRAY, [1]], [Node.LIVE, 'proxy', [5, 'trap', 'id', [], ...methods]]]);

const VALUES: readonly [string, () => Value][] = [
  ['holes: a list of 130 million', () => holes(130_000_000)],
  ['holes: a list of four billion', () => holes(2 ** 32 - 1)],
  ['holes: a list of a million', () => holes(1_000_000)],
  ['holes: fifty lists of 30 million', () => graph(listOf(50, () => [Node.SPARSE, 30_000_000]))],
  ['holes: a list inside of a map', () => graph([[0], [Node.ARRAY, [1]], [Node.MAP, 'a', [2]], [Node.SPARSE, 100_000_000]])],
  ['a length that is negative', () => graph([[0], [Node.SPARSE, -1]])],
  ['a length that is no number', () => graph([[0], [Node.SPARSE, 'x']])],
  ['an index past the length', () => graph([[0], [Node.SPARSE, 3, 7, 1]])],
  ['an index of __proto__', () => graph([[0], [Node.SPARSE, 3, '__proto__', [0]]])],
  ['no table', () => [Tag.GRAPH, pack(5), 0]],
  ['an empty table', () => [Tag.GRAPH, pack([]), 0]],
  ['a root that is no reference', () => graph([[0, 0], [Node.ARRAY]])],
  ['a reference to nothing', () => graph([[7], [Node.ARRAY]])],
  ['a reference below nothing', () => graph([[-1], [Node.ARRAY]])],
  ['half a reference', () => graph([[0.5], [Node.ARRAY]])],
  ['a reference of a reference', () => graph([[[0]], [Node.ARRAY]])],
  ['a node that is no list', () => graph([[0], 5])],
  ['an unknown node', () => graph([[0], [99]])],
  ['a node of a name', () => graph([[0], ['OBJECT', 'a', 1]])],
  ['a list that contains itself', () => graph([[0], [Node.ARRAY, [0], [0]]])],
  ['a map that is its own key', () => graph([[0], [Node.ARRAY, [1]], [Node.MAP, [1], [1]]])],
  ['a map with half an entry', () => graph([[0], [Node.ARRAY, [1]], [Node.MAP, 1]])],
  ['a set of itself', () => graph([[0], [Node.ARRAY, [1]], [Node.SET, [1]]])],
  ['a view on a view', () => graph([[0], [Node.ARRAY, [1]], [Node.VIEW, 2, [1], 0, 1]])],
  ['a view on a list', () => graph([[0], [Node.ARRAY, [1]], [Node.VIEW, 2, [0], 0, 1]])],
  ['a view past its buffer', () => graph([[0], [Node.ARRAY, [1]], [Node.VIEW, 2, [2], 0, 1e9], [Node.BUFFER, SHORT]])],
  ['a view before its buffer', () => graph([[0], [Node.ARRAY, [1]], [Node.VIEW, 2, [2], -1, 1], [Node.BUFFER, SHORT]])],
  ['a view at no place', () => graph([[0], [Node.ARRAY, [1]], [Node.VIEW, 2, [2], NaN, 1], [Node.BUFFER, SHORT]])],
  ['a view that is not aligned', () => graph([[0], [Node.ARRAY, [1]], [Node.VIEW, 9, [2], 1, 1], [Node.BUFFER, SHORT]])],
  ['a view of an unknown class', () => graph([[0], [Node.ARRAY, [1]], [Node.VIEW, 50, [2], 0, 1], [Node.BUFFER, SHORT]])],
  ['a buffer that is a text', () => graph([[0], [Node.ARRAY, [1]], [Node.BUFFER, 'x']])],
  ['a buffer that may grow to a terabyte', () => graph([[0], [Node.ARRAY, [1]], [Node.BUFFER, SHORT, 2 ** 40]])],
  ['a thousand buffers that may grow to 64 MiB each', () => graph(listOf(1_000, () => [Node.BUFFER, SHORT, 64 * MIB]))],
  ['an attachment that is not there', () => graph([[0], [Node.ARRAY, [1]], [Node.ATTACHED_BUFFER, 7]])],
  ['an attachment of a negative number', () => graph([[0], [Node.ARRAY, [1]], [Node.ATTACHED_BUFFER, -1]])],
  ['a host object over bytes', () => graph([[0], [Node.ARRAY, [1]], [Node.ATTACHED, 0]])],
  ['a date that is a text', () => graph([[0], [Node.ARRAY, [1]], [Node.DATE, 'now']])],
  ['a regular expression with bad flags', () => graph([[0], [Node.ARRAY, [1]], [Node.REGEXP, 'a', 'xyz']])],
  ['a regular expression that is malformed', () => graph([[0], [Node.ARRAY, [1]], [Node.REGEXP, '(', '']])],
  ['a regular expression of a megabyte', () => graph([[0], [Node.ARRAY, [1]], [Node.REGEXP, '(a+)+'.repeat(200_000), '']])],
  ['a box of a list', () => graph([[0], [Node.ARRAY, [1]], [Node.BOX, [0]]])],
  ['a bigint of 10 MB', () => bigOf(10_000_000)],
  ['a property that is a number', () => graph([[0], [Node.ARRAY, [1]], [Node.OBJECT, 5, 5]])],
  ['a property of the name __proto__', () => graph([[0], [Node.ARRAY, [1]], [Node.OBJECT, '__proto__', [2], 'constructor', [2]], [Node.OBJECT, 'polluted', 1]])],
  ['a packed property of the name __proto__', () => [Tag.STANDALONE, pack([{ ['__proto__']: { polluted: 1 } }]), 0]],
  // oxlint-disable-next-line unicorn/no-thenable -- that is the point of it
  ['an inline value that is an object', () => [Tag.INLINE, { then: 1 }, 0]],
  ['an inline list that is long', () => [Tag.INLINE, Array.from({ length: 1_000 }, () => 1), 0]],
  ['an inline value that is bytes', () => [Tag.INLINE, SHORT, 0]],
  ['a then that is a function', () => graph([[0], [Node.ARRAY, [1]], [Node.OBJECT, 'then', [2]], [Node.LIVE, 'function', [5, 'then', 1]]])],
  ['a toJSON and toString that are functions', () => graph([[0], [Node.ARRAY, [1]], [Node.OBJECT, 'toJSON', [2], 'toString', [2], 'valueOf', [2]], [Node.LIVE, 'function', [5, 'f', 1]]])],
  ['a proxy with the method then', () => proxy(['then', 'add'])],
  ['a proxy with reserved methods', () => proxy(['$with', '$handle', '__processId', 'constructor', 'toString', '__proto__', 'init', 'catch', 'finally', 'hasOwnProperty'])],
  ['a proxy with 200,000 methods', () => proxy(Array.from({ length: 200_000 }, (_, index) => `m${index}`))],
  ['a proxy whose methods are objects', () => graph([[0], [Node.ARRAY, [1]], [Node.LIVE, 'proxy', [5, { toString: 1 }, 'id', [], { toString: 1 }]]])],
  ['a function whose name is an object', () => graph([[0], [Node.ARRAY, [1]], [Node.LIVE, 'function', [5, { toString: 1 }, 1]]])],
  ['a live thing of an unknown kind', () => graph([[0], [Node.ARRAY, [1]], [Node.LIVE, 'process', [5]]])],
  ['a live thing of number 0', () => graph([[0], [Node.ARRAY, [1]], [Node.LIVE, 'function', [0, 'stop', 1]]])],
  ['a live thing of a negative number', () => graph([[0], [Node.ARRAY, [1]], [Node.LIVE, 'stream', [-5]]])],
  ['a live thing of number 2^53', () => graph([[0], [Node.ARRAY, [1]], [Node.LIVE, 'signal', [2 ** 53]]])],
  ['a live thing without a description', () => graph([[0], [Node.ARRAY, [1]], [Node.LIVE, 'function']])],
  ['a stream that is there already, twice', () => graph([[0], [Node.ARRAY, [1], [2]], [Node.LIVE, 'stream', [4]], [Node.LIVE, 'readable', [4]]])],
  ['a signal that is aborted with nonsense', () => graph([[0], [Node.ARRAY, [1]], [Node.LIVE, 'signal', [4, [[1, 2, 3]]]]])],
  ['a signal that is aborted with a lying error', () => graph([[0], [Node.ARRAY, [1]], [Node.LIVE, 'signal', [4, [[3, 'LINK_CLOSED', 'x', 'm', {}, 3, { a: 1 }, 5, 'name', 1]]]]])],
  ['an error without a name', () => graph([[0], [Node.ARRAY, [1]], [Node.ERROR, 0]])],
  ['an error of an unknown class', () => graph([[0], [Node.ARRAY, [1]], [Node.ERROR, 0, 'Object', 'x', 'm', 's', 0]])],
  ['an error of the class __proto__', () => graph([[0], [Node.ARRAY, [1]], [Node.ERROR, 3, '__proto__', '__proto__', 'm', 's', 0]])],
  ['an error of the class constructor', () => graph([[0], [Node.ARRAY, [1]], [Node.ERROR, 4, 'constructor', 'constructor', 'm', 's', 0]])],
  ['an error that says it is of this package', () => graph([[0], [Node.ARRAY, [1]], [Node.ERROR, 3, 'PROCESS_CRASHED', 'ProcessCrashedError', 'm', 's', 0, undefined, undefined, 'maybeExecuted', 'no', 'code', 'X']])],
  ['an error whose stack is an object', () => graph([[0], [Node.ARRAY, [1]], [Node.ERROR, 0, 'Error', 'Error', 'm', [0], 7, [1], [1], 'stack', 1, 'message', [0], 'toString', [2], 'then', [2], 'name', [0]], [Node.LIVE, 'function', [5, 'f', 1]]])],
  ['a DOM error with a code', () => graph([[0], [Node.ARRAY, [1]], [Node.ERROR, 2, 'DOMException', 'AbortError', 'm', 's', 0, undefined, undefined, 'code', 5, 'name', 7]])],
  ['an aggregate whose errors are a number', () => graph([[0], [Node.ARRAY, [1]], [Node.ERROR, 1, 'AggregateError', 'x', 'm', 's', 2, undefined, 5]])],
  ['an error with 100,000 fields', () => graph([[0], [Node.ARRAY, [1]], [Node.ERROR, 0, 'Error', 'Error', 'm', 's', 0, undefined, undefined, ...Array.from({ length: 100_000 }, (_, index) => [`k${index}`, 1]).flat()]])],
  ['a deep chain of causes', () => graph([[0], [Node.ARRAY, [1]], ...Array.from({ length: 20_000 }, (_, index) => [Node.ERROR, 0, 'Error', 'Error', 'm', 's', 1, index < 19_999 ? [index + 2] : 1])])],
  ['a deep chain of lists', () => graph([[0], ...Array.from({ length: 50_000 }, (_, index) => [Node.ARRAY, ...(index < 49_999 ? [[index + 1]] : [])])])],
  ['300,000 empty nodes', () => graph([[0], ...Array.from({ length: 300_000 }, () => [Node.ARRAY])])],
];

/** The same value as the root itself instead of the first of a list: results are single values. */
const unwrapped = ([tag, payload, attachments]: Value): Value => {
  const list = pack([[0], [Node.ARRAY, [1]]]).subarray(5);
  if (tag !== Tag.GRAPH || !(payload instanceof Uint8Array) || !Buffer.from(payload.subarray(5, 5 + list.length)).equals(list)) return [tag, payload, attachments];
  return [tag, Buffer.concat([payload.subarray(0, 5), pack([1]), payload.subarray(5 + pack([0]).length)]), attachments];
};

const PLACES: readonly [string, (mouth: Mouth, value: Value) => unknown[]][] = [
  ['an argument', (_mouth, value) => [Kind.CALL_FULL, FREE, 1, ...value, undefined]],
  ['an argument that is awaited', (_mouth, value) => [Kind.CALL_FULL, FREE, 15, ...value, undefined]],
  ['a result', ({ underWay }, value) => [Kind.RESULT_FULL, underWay.awaited, ...unwrapped(value)]],
  ['an error', ({ underWay }, value) => [Kind.ERROR, underWay.awaited, ...unwrapped(value)]],
  ['an item', ({ underWay }, value) => [Kind.NEXT, underWay.read, 2 ** 20, ...unwrapped(value)]],
  ['an end', ({ underWay }, value) => [Kind.END, underWay.read, ...unwrapped(value)]],
  ['a failure', ({ underWay }, value) => [Kind.FAIL, underWay.read, ...unwrapped(value)]],
  ['a reason', ({ underWay }, value) => [Kind.CANCEL, underWay.served, ...unwrapped(value)]],
  ['the reason of a signal', ({ underWay }, value) => [Kind.ABORT, underWay.signal, ...unwrapped(value)]],
  ['an argument of what was lent', ({ underWay }, value) => [Kind.CALL_REFERENCE, FREE, underWay.lent, '', ...value, [0]]],
];

export const valueCases = (): Case[] => VALUES.flatMap(([name, value]) => PLACES.map(([place, entry]): Case => ({ name: `${name}, as ${place}`, amplifies: true, say: (mouth) => mouth.send(entry(mouth, value())) })));

export { liveValue, Raw };
