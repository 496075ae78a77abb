// What only a thread can do: whatever structured clone carries may come as a message, where the other side expects a batch.
import { MessageChannel } from 'node:worker_threads';
import type { Case } from './cases.js';
import { FREE, Kind, Tag } from './entries.js';

const cyclic: unknown[] = [Kind.PING];
cyclic.push(cyclic);

const MESSAGES: readonly [string, () => unknown][] = [
  ['null', () => null], ['undefined', () => undefined], ['a number', () => 5], ['a bigint', () => 5n], ['true', () => true], ['a date', () => new Date()], ['a map', () => new Map([[0, Kind.PING]])], ['bytes', () => new Uint8Array([0x91, 1])],
  ['an empty object', () => ({})], ['a batch of null', () => ({ batch: null, attachments: [] })], ['a batch without attachments', () => ({ batch: [Kind.PING, 1] })], ['attachments that are a number', () => ({ batch: [Kind.PING, 1], attachments: 7 })],
  ['attachments that are null, asked for', () => ({ batch: [Kind.CALL_FULL, FREE, 1, Tag.INLINE, [1], 1, undefined], attachments: null })], ['an empty text', () => ''], ['a text of other characters', () => 'ÿĀ😀'.repeat(100)], ['a text of 50 MB', () => 'x'.repeat(50_000_000)],
  ['an empty list', () => []], ['a list of holes', () => Object.assign([], { length: 50_000_000 })], ['a list that contains itself', () => cyclic], ['a ping of a map', () => [Kind.PING, new Map([[1, new Set([2])]])]],
  ['a ping of an object', () => [Kind.PING, { a: 1 }]], ['a ping of a shared buffer', () => [Kind.PING, new SharedArrayBuffer(8)]], ['a ping of an error', () => [Kind.PING, new Error('x')]],
  ['a result that is an object', () => [Kind.RESULT, 1, Tag.INLINE, { a: 1 }]], ['a result that is a map', () => [Kind.RESULT, 1, Tag.INLINE, new Map()]], ['a kind that is an object', () => [{ toString: 1 }, 1]],
];

export const portCases = (): Case[] => [
  ...MESSAGES.map(([name, message]): Case => ({ name: `a message that is ${name}`, only: 'port', say: (mouth) => mouth.message!(message()) })),
  { name: 'a port as a message', only: 'port', say: (mouth) => { const { port1 } = new MessageChannel(); mouth.message!({ batch: [Kind.PING, 1], attachments: [port1] }, [port1]); } },
];
