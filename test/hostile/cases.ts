// The table of hostile frames. A case says something once; what must follow is the same for all: an answer or a closed link, and
// nothing else. `amplifies`: a small frame that claims much; it may cost a small multiple of its own size.
import type { TransferListItem } from 'node:worker_threads';
import { packEntries } from '#mimas/rpc/batch-codec.js';
import { malformedCases } from './cases-bytes.js';
import { heavyCases } from './cases-heavy.js';
import { portCases } from './cases-port.js';
import { sequenceCases } from './cases-sequences.js';
import { valueCases } from './cases-values.js';
import { legalEntries, type UnderWay } from './entries.js';
import { bodyOf } from './raw-bytes.js';

/** Where a case speaks. */
export interface Mouth {
  readonly underWay: UnderWay;
  /** A body of a frame, as it is. */
  body(body: Uint8Array): void;
  send(entries: readonly unknown[], attachments?: readonly Uint8Array[]): void;
  /** Anything at all, as a message of a port; only threads have it. */
  message?(message: unknown, transfer?: readonly TransferListItem[]): void;
}

export interface Case {
  readonly name: string;
  readonly amplifies?: boolean;
  /** Of tens of megabytes: for lies only, attacks on served processes have a table of their own. */
  readonly heavy?: boolean;
  readonly only?: 'port';
  say(mouth: Mouth): void;
}

const MISSING = Symbol('missing');

const VALUES: readonly [string, unknown][] = [
  ['missing', MISSING], ['undefined', undefined], ['null', null], ['NaN', NaN], ['-1', -1], ['0.5', 0.5], ['2^53', 2 ** 53], ['2^32', 2 ** 32], ['2^31', 2 ** 31], ['0', 0], ['Infinity', Infinity], ['-Infinity', -Infinity], ["''", ''],
  ['a long text', 'x'.repeat(100_000)], ['a bigint', 12n], ['true', true], ['[]', []], ['{}', {}], ['a nested object', { a: { b: [1, { c: 2 }] } }], ['a nested list', [[[1]], ['x']]], ['bytes', new Uint8Array([0xc1, 0xdd, 0xff])],
  ['an object with toString', { toString: 1, valueOf: 2 }],
  // oxlint-disable-next-line unicorn/no-thenable -- that is the point of it
  ['an object with then', { then: 1, catch: 'x' }], ['an object with __proto__', { ['__proto__']: { polluted: 1 }, constructor: 1 }], ['an object with length', { length: 2 ** 32, 0: 1 }], ['a date', new Date(NaN)],
];

const packable = (value: unknown): unknown => (value instanceof Date ? { date: 1 } : value);

/** For each kind of entry, each slot: each wrong value. */
function slotCases(): Case[] {
  const cases: Case[] = [];
  const shape = legalEntries({ served: 0, awaited: 0, read: 0, produced: 0, signal: 0, lent: 0 });
  for (const [kind, entry] of Object.entries(shape)) {
    for (let slot = 1; slot < entry.length; slot++) {
      for (const [name, value] of VALUES) {
        cases.push({
          name: `${kind}, slot ${slot}: ${name}`,
          say(mouth) {
            const spoilt = legalEntries(mouth.underWay)[kind]!;
            if (value === MISSING) spoilt.length = slot;
            else spoilt[slot] = packable(value);
            mouth.send(spoilt);
          },
        });
      }
    }
  }
  return cases;
}

/** What a legal packer makes, to show that the harness itself is understood. */
export const legalCases = (): Case[] =>
  Object.entries(legalEntries({ served: 0, awaited: 0, read: 0, produced: 0, signal: 0, lent: 0 })).map(([kind]) => ({
    name: `${kind}, legal`,
    say: (mouth) => mouth.body(bodyOf(Buffer.from(packEntries(legalEntries(mouth.underWay)[kind]!), 'latin1'))),
  }));

/** All of them, in an order that never changes. */
export const allCases = (): Case[] => [...legalCases(), ...slotCases(), ...malformedCases(), ...valueCases(), ...sequenceCases(), ...heavyCases(), ...portCases()];

/** Each `nth`, and all that is rare: for transports that share their code with one that has the whole table. */
export function sampleOf(cases: readonly Case[], nth: number): Case[] {
  return cases.filter(({ heavy, only }, index) => heavy || only || index % nth === 0);
}
