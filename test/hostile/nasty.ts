// What goes wrong where somebody forgot to look: one dictionary of values and names for all that is mutated.
import type { Chance } from './random.js';

/** Numbers that are no sizes, no indexes and no identities; or too good ones. */
export const NUMBERS: readonly number[] = [-1, -0, 0, 1, 2, 3, 7, 255, 256, 1_025, 65_536, 2 ** 24, 1e8, 2 ** 27, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1e12, 1e308, -(2 ** 31), 0.5, NaN, Infinity, -Infinity];

/** Names that mean something to the language, to Node or to a proxy. */
export const NAMES: readonly string[] = ['', 'then', 'catch', 'finally', '__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'toJSON', 'length', 'name', 'message', 'stack', 'cause', 'errors', 'code', 'add', 'echo', 'hold', '$handle', '$with', 'next', 'return', 'throw', 'aborted', 'reason', 'mimas-caller', 'mimas-options', 'MIMAS-Options', '\u0000', '\ud800', 'ä'.repeat(300), 'x'.repeat(5_000)];

export const PRIMITIVES: readonly unknown[] = [undefined, null, true, false, 12n, -1n, 2n ** 80n, ...NUMBERS, ...NAMES];

/** Nothing that an entry holds in a slot of its own. Each is made anew: what is built in is changed again later, and would be another one for all that follow. */
const COMPOSITES: readonly (() => unknown)[] = [
  () => [], () => [1], () => [[0]], () => [[]], () => [1, 2, 3], () => [undefined], () => ['x'.repeat(70_000)], () => Array.from({ length: 9 }, () => 1), () => ({}), () => ({ a: 1 }), () => ({ toString: 1, valueOf: 2 }), () => ({ length: 2 ** 32, 0: 1 }), () => ({ ['__proto__']: { polluted: 1 } }),
  // oxlint-disable-next-line unicorn/no-thenable -- that is the point of it
  () => ({ then: 1 }), () => ({ then: { then: null } }), () => ({ byteLength: 1e9 }),
  ...[[], [0x91, 0x91], [0x93, 0, 1, 2], [0xdd, 255, 255, 255, 255], [0xdd, 7, 0, 0, 0, 1], [0xdf, 7, 0, 0, 0, 1]].map((bytes) => () => new Uint8Array(bytes)),
];

export const composite = (chance: Chance): unknown => chance.of(COMPOSITES)();

/** One of `simple` or a composite, each as likely as the next. */
export const orComposite = (chance: Chance, simple: readonly unknown[] = PRIMITIVES): unknown => (chance.below(simple.length + COMPOSITES.length) < simple.length ? chance.of(simple) : composite(chance));

/** Options of a call as a relayed one carries them. */
export const OPTIONS: readonly string[] = ['', '{', 'null', '[]', '{"timeout":"x"}', '{"timeout":"-1"}', '{"timeout":"1e400"}', '{"key":{}}', '{"whileRestarting":"fail","queueTimeout":"0"}', '{"idempotent":1}', '{"__proto__":{"timeout":"1"}}'];
