// Changes honest frames where it hurts: the structure stays recognisable, so that what is changed gets past the first check.
import { entriesOf, Kind } from './entries.js';
import type { Corpus } from './corpus.js';
import { bodyOf, pack } from './raw-bytes.js';
import type { Chance } from './random.js';

interface Draft { entries: unknown[][]; attachments: Uint8Array[] }
type Mutation = (draft: Draft, chance: Chance, corpus: Corpus) => void;

// oxlint-disable-next-line unicorn/no-thenable -- that is the point of it
const VALUES: readonly unknown[] = [undefined, null, NaN, -1, 0, 1, 2, 3, 0.5, 2 ** 31, 2 ** 32, 2 ** 53, Infinity, '', 'x', 'then', '__proto__', 'x'.repeat(5_000), 12n, 2n ** 80n, true, [], [1], [[0]], {}, { toString: 1 }, { then: 1 }, new Uint8Array(0), new Uint8Array([0x91, 0x91]), new Uint8Array([0xdd, 255, 255, 255, 255])];
/** Where the three slots of a value begin. */
const VALUE_AT: Readonly<Record<number, number>> = { [Kind.CALL]: 3, [Kind.CALL_FULL]: 3, [Kind.CALL_REFERENCE]: 4, [Kind.RESULT]: 2, [Kind.RESULT_FULL]: 2, [Kind.ERROR]: 2, [Kind.CANCEL]: 2, [Kind.NEXT]: 3, [Kind.END]: 2, [Kind.FAIL]: 2, [Kind.ABORT]: 2 };

const valueAt = (kind: unknown): number | undefined => (typeof kind === 'number' ? VALUE_AT[kind] : undefined);

const entryOf = (draft: Draft, chance: Chance): unknown[] | undefined => (draft.entries.length === 0 ? undefined : chance.of(draft.entries));

const MUTATIONS: readonly Mutation[] = [
  function changeType(draft, chance) {
    const entry = entryOf(draft, chance);
    if (entry) entry[chance.below(entry.length)] = chance.of(VALUES);
  },
  function changeDeep(draft, chance) {
    const lists = draft.entries.flatMap((entry) => entry.filter((slot): slot is unknown[] => Array.isArray(slot)));
    if (lists.length === 0) return;
    const list = chance.of(lists);
    list[chance.below(list.length + 1)] = chance.of(VALUES);
  },
  function nudge(draft, chance) {
    const entry = entryOf(draft, chance);
    if (!entry) return;
    const at = chance.below(entry.length);
    if (typeof entry[at] === 'number') entry[at] = entry[at] + chance.of([-1, 1, 2, 7, 256, -(2 ** 31), 2 ** 32]);
  },
  function swapSlots(draft, chance) {
    const [one, other] = [entryOf(draft, chance), entryOf(draft, chance)];
    if (!one || !other) return;
    const [i, j] = [chance.below(one.length), chance.below(other.length)];
    [one[i], other[j]] = [other[j], one[i]];
  },
  function changeKind(draft, chance) {
    const entry = entryOf(draft, chance);
    if (entry) entry[0] = chance.below(20);
  },
  function duplicate(draft, chance) {
    const entry = entryOf(draft, chance);
    if (entry) for (let i = chance.below(4); i >= 0; i--) draft.entries.splice(chance.below(draft.entries.length + 1), 0, [...entry]);
  },
  function drop(draft, chance) {
    draft.entries.splice(chance.below(draft.entries.length + 1), 1);
  },
  function reorder(draft, chance) {
    const [entry] = draft.entries.splice(chance.below(draft.entries.length + 1), 1);
    if (entry) draft.entries.splice(chance.below(draft.entries.length + 1), 0, entry);
  },
  function insert(draft, chance, corpus) {
    const other = entriesOf(chance.of(corpus).entries);
    if (other.length > 0) draft.entries.splice(chance.below(draft.entries.length + 1), 0, copyOf(chance.of(other)));
  },
  function spliceValue(draft, chance, corpus) {
    const [entry, source] = [entryOf(draft, chance), chance.of(entriesOf(chance.of(corpus).entries).concat([[]]))];
    const [to, from] = [valueAt(entry?.[0]), valueAt(source[0])];
    if (entry && to !== undefined && from !== undefined) for (let i = 0; i < 2; i++) entry[to + i] = source[from + i];
  },
  function flipInPayload(draft, chance) {
    const payloads = draft.entries.flatMap((entry) => entry.filter((slot): slot is Uint8Array => slot instanceof Uint8Array && slot.length > 0));
    if (payloads.length === 0) return;
    const payload = chance.of(payloads);
    for (let i = chance.below(3); i >= 0; i--) payload[chance.below(payload.length)] = chance.of([chance.below(256), 0xdd, 0xc1, 0xd4, 0x91, 0x40, 0xff, 0]);
  },
  function cutEntry(draft, chance) {
    const entry = entryOf(draft, chance);
    if (entry) entry.length = chance.below(entry.length);
  },
  function changeAttachments(draft, chance) {
    if (chance.below(2) === 0) draft.attachments.pop();
    else draft.attachments.splice(chance.below(draft.attachments.length + 1), 0, new Uint8Array(chance.of([0, 1, 100, 70_000])));
  },
];

/** Changes of the finished body. */
const ON_BYTES: readonly ((body: Buffer, chance: Chance) => Buffer)[] = [
  (body, chance) => { for (let i = chance.below(4); i >= 0; i--) { const at = chance.below(body.length); body[at] = body[at]! ^ (1 << chance.below(8)); } return body; },
  (body, chance) => body.subarray(0, chance.below(body.length)),
  (body, chance) => { body.writeUInt32LE(chance.of([0, 1, body.length, 2 ** 31, 2 ** 32 - 1, chance.below(body.length + 10)]), 4 * chance.below(2)); return body; },
  (body, chance) => Buffer.concat([body, Buffer.alloc(1 + chance.below(20), chance.below(256))]),
];

const copyOf = (entry: readonly unknown[]): unknown[] => entry.map((slot) => (slot instanceof Uint8Array ? Uint8Array.from(slot) : Array.isArray(slot) ? copyOf(slot) : slot));

/** The body of a frame that was honest once. */
export function mutated(batch: Corpus[number], chance: Chance, corpus: Corpus): Buffer {
  const draft: Draft = { entries: entriesOf(copyOf(batch.entries)), attachments: [...batch.attachments] };
  const onBytes = chance.below(8) === 0;
  if (!onBytes || chance.below(2) === 0) for (let i = chance.below(3); i >= 0; i--) chance.of(MUTATIONS)(draft, chance, corpus);
  const body = bodyOf(pack(draft.entries.flat()), draft.attachments);
  return onBytes ? chance.of(ON_BYTES)(body, chance) : body;
}

