// Changes frames where it hurts. Most stay frames that can be read, so that the change gets as far as what it is meant for; few are
// damaged bytes. A gentle session breaks no rule that would end it at once: its lies add up.
import { entriesOf, Kind, Tag } from './entries.js';
import type { Corpus } from './corpus.js';
import { Grammar, isCall, numbersOf, OWNER, VALUE_AT } from './grammar.js';
import { operated } from './mutate-graph.js';
import { composite, NAMES, NUMBERS, orComposite, PRIMITIVES } from './nasty.js';
import { bodyOf, pack } from './raw-bytes.js';
import type { Chance } from './random.js';

interface Draft { entries: unknown[][]; attachments: Uint8Array[] }
type Mutation = (draft: Draft, session: MutatedSession) => void;

const someEntry = ({ entries }: Draft, { chance }: MutatedSession): unknown[] | undefined => (entries.length === 0 ? undefined : chance.of(entries));
const valueAt = (kind: unknown): number | undefined => (typeof kind === 'number' ? VALUE_AT[kind] : undefined);
const copyOf = (entry: readonly unknown[]): unknown[] => entry.map((slot) => (slot instanceof Uint8Array ? Uint8Array.from(slot) : Array.isArray(slot) ? copyOf(slot) : slot));
const entryWithValue = (draft: Draft, session: MutatedSession): { entry: unknown[]; at: number } | undefined => {
  const found = draft.entries.flatMap((entry) => (valueAt(entry[0]) === undefined ? [] : [{ entry, at: valueAt(entry[0])! }]));
  return found.length === 0 ? undefined : session.chance.of(found);
};

const GENTLE: readonly Mutation[] = [
  function operate(draft, session) {
    const found = entryWithValue(draft, session);
    const payload = found?.entry[found.at + 1];
    if (!found || found.entry[found.at] !== Tag.GRAPH || !(payload instanceof Uint8Array)) return;
    found.entry[found.at + 1] = operated(payload, session.chance, session.grammar, session.gentle) ?? payload;
  },
  function otherNumber(draft, session) {
    const entry = someEntry(draft, session);
    if (entry && typeof entry[0] === 'number' && OWNER[entry[0]] && !isCall(entry[0])) entry[1] = session.grammar.otherNumber();
  },
  function otherPrimitive(draft, session) {
    const found = entryWithValue(draft, session);
    if (!found || found.entry[found.at] !== Tag.INLINE) return;
    const payload = found.entry[found.at + 1];
    if (Array.isArray(payload)) payload[session.chance.below(Math.min(payload.length + 1, 8))] = session.chance.of(PRIMITIVES);
    else if (!isCall(found.entry[0])) found.entry[found.at + 1] = session.chance.of(PRIMITIVES);
  },
  function spliceValue(draft, session) {
    const found = entryWithValue(draft, session);
    if (!found || (session.gentle && found.entry[0] === Kind.NEXT)) return;
    const [tag, payload] = session.grammar.value(undefined, isCall(found.entry[0]));
    found.entry.splice(found.at, 2, tag, payload);
  },
  function otherMeta(draft, session) {
    const entry = draft.entries.find(([kind]) => kind === Kind.CALL_FULL || kind === Kind.CALL_REFERENCE);
    if (entry) entry[entry.length - 1] = session.grammar.meta();
  },
  function otherMethod(draft, { chance }) {
    const entry = draft.entries.find(([kind]) => isCall(kind));
    if (entry?.[0] === Kind.CALL_REFERENCE) entry[3] = chance.of(NAMES);
    else if (entry) entry[2] = chance.below(25);
  },
  function duplicate(draft, session) {
    const entry = someEntry(draft, session);
    if (!entry) return;
    for (let i = session.chance.below(4); i >= 0; i--) {
      const again = copyOf(entry);
      if (isCall(again[0]) && session.gentle) again[1] = session.grammar.fresh();
      if (session.gentle && again[0] === Kind.NEXT) return;
      draft.entries.splice(session.chance.below(draft.entries.length + 1), 0, again);
    }
  },
  function drop(draft, { chance }) {
    draft.entries.splice(chance.below(draft.entries.length + 1), 1);
  },
  function reorder(draft, { chance }) {
    const [entry] = draft.entries.splice(chance.below(draft.entries.length + 1), 1);
    if (entry) draft.entries.splice(chance.below(draft.entries.length + 1), 0, entry);
  },
  function insert(draft, { chance, grammar }) {
    // In front, where no attachments but its own have come yet.
    const attachments: Uint8Array[] = [];
    draft.entries.unshift(grammar.entry(attachments));
    draft.attachments.unshift(...attachments);
    if (draft.entries[0]?.[0] === Kind.HELLO && chance.below(10) > 0) draft.entries.shift();
  },
  function costAndCredit(draft, { chance, gentle }) {
    const entry = draft.entries.find(([kind]) => kind === Kind.CREDIT || kind === Kind.NEXT);
    if (entry) entry[2] = gentle ? 1 : chance.of([1, 2, 1_000, 65_536, 2 ** 20]);
  },
];

const VIOLENT: readonly Mutation[] = [
  function changeSlot(draft, session) {
    const entry = someEntry(draft, session);
    if (entry) entry[session.chance.below(entry.length)] = session.chance.below(2) === 0 ? composite(session.chance) : session.chance.of(PRIMITIVES);
  },
  function changeNumber(draft, session) {
    const entry = someEntry(draft, session);
    if (!entry) return;
    const at = session.chance.below(entry.length);
    if (typeof entry[at] === 'number') entry[at] = session.chance.of([...NUMBERS, (entry[at] as number) + 1, (entry[at] as number) - 1]);
  },
  function changeDeep(draft, { chance }) {
    const lists = draft.entries.flatMap((entry) => entry.filter((slot): slot is unknown[] => Array.isArray(slot)));
    if (lists.length === 0) return;
    const list = chance.of(lists);
    list[chance.below(list.length + 1)] = orComposite(chance);
  },
  function swapSlots(draft, session) {
    const [one, other] = [someEntry(draft, session), someEntry(draft, session)];
    if (!one || !other) return;
    const [i, j] = [session.chance.below(one.length), session.chance.below(other.length)];
    [one[i], other[j]] = [other[j], one[i]];
  },
  function changeKind(draft, session) {
    const entry = someEntry(draft, session);
    if (entry) entry[0] = session.chance.below(21);
  },
  function changeTag(draft, session) {
    const found = entryWithValue(draft, session);
    if (found) found.entry[found.at] = session.chance.of([0, 1, 2, 3, 4, 9, 10, 11]);
  },
  function sameCallAgain(draft, session) {
    const entry = draft.entries.find(([kind]) => isCall(kind));
    if (entry) entry[1] = session.grammar.number('served');
  },
  function flipInPayload(draft, { chance }) {
    const payloads = draft.entries.flatMap((entry) => entry.filter((slot): slot is Uint8Array => slot instanceof Uint8Array && slot.length > 0));
    if (payloads.length === 0) return;
    const payload = chance.of(payloads);
    for (let i = chance.below(3); i >= 0; i--) payload[chance.below(payload.length)] = chance.of([chance.below(256), 0xdd, 0xc1, 0xd4, 0x91, 0x40, 0xff, 0]);
  },
  function cutEntry(draft, session) {
    const entry = someEntry(draft, session);
    if (entry) entry.length = session.chance.below(entry.length);
  },
  function changeAttachments(draft, { chance }) {
    if (chance.below(2) === 0) draft.attachments.pop();
    else draft.attachments.splice(chance.below(draft.attachments.length + 1), 0, new Uint8Array(chance.of([0, 1, 100, 1_024, 70_000])));
  },
];

/** Changes of the finished body. */
const ON_BYTES: readonly ((body: Buffer, chance: Chance) => Buffer)[] = [
  (body, chance) => { for (let i = chance.below(4); i >= 0; i--) { const at = chance.below(body.length); body[at] = body[at]! ^ (1 << chance.below(8)); } return body; },
  (body, chance) => body.subarray(0, chance.below(body.length)),
  (body, chance) => { body.writeUInt32LE(chance.of([0, 1, body.length, 2 ** 31, 2 ** 32 - 1, chance.below(body.length + 10)]), 4 * chance.below(2)); return body; },
  (body, chance) => Buffer.concat([body, Buffer.alloc(1 + chance.below(20), chance.below(256))]),
];

/** Items of a stream that its reader has asked for when it begins, at least. */
const FEW = 4;

/** One session of a peer that lies: what it says one after the other, all of it from one seed. */
export class MutatedSession {
  readonly grammar: Grammar;
  readonly gentle: boolean;
  #recorded = 0;
  readonly #items = new Map<unknown, number>();

  /** `gentler`: of ten sessions so many are gentle. `corpus`: what an honest peer said. */
  constructor(readonly chance: Chance, private readonly corpus: Corpus, gentler: number) {
    this.gentle = chance.below(10) < gentler;
    this.grammar = new Grammar(chance, numbersOf(corpus), this.gentle);
  }

  /** The body of the next frame, and whether it was changed: what was recorded is sometimes said as it was, so that there is a state to lie about. */
  next(): { body: Buffer; changed: boolean } {
    const { chance } = this;
    if (!this.gentle && chance.below(3) === 0) return { body: this.#spoilt(), changed: true };
    const asRecorded = chance.below(2) === 0 && this.#recorded < (this.gentle ? 1 : 2) * this.corpus.length;
    const draft = asRecorded ? this.#draftOf(this.corpus[this.#recorded++ % this.corpus.length]!) : this.#composed();
    if (this.gentle) draft.entries = draft.entries.filter((entry) => this.#isAskedFor(entry));
    if (asRecorded && chance.below(3) === 0) return { body: bodyOf(pack(draft.entries.flat()), draft.attachments), changed: false };
    const mutations = this.gentle ? GENTLE : chance.below(2) === 0 ? GENTLE : VIOLENT;
    for (let i = chance.below(3); i >= 0; i--) chance.of(mutations)(draft, this);
    const body = bodyOf(pack(draft.entries.flat()), draft.attachments);
    return { body: !this.gentle && chance.below(12) === 0 ? chance.of(ON_BYTES)(body, chance) : body, changed: true };
  }

  /** Few items of each stream: those beyond what its reader asked for end the link. */
  #isAskedFor([kind, id]: readonly unknown[]): boolean {
    if (kind !== Kind.NEXT) return true;
    const items = (this.#items.get(id) ?? 0) + 1;
    this.#items.set(id, items);
    return items <= FEW;
  }

  #draftOf({ entries, attachments }: Corpus[number]): Draft {
    const again = this.#recorded > this.corpus.length;
    const copies = entriesOf(copyOf(entries)).filter(([kind]) => kind !== Kind.HELLO);
    if (again) for (const entry of copies) if (isCall(entry[0])) entry[1] = this.grammar.fresh();
    return { entries: copies, attachments: [...attachments] };
  }

  /** A legal entry of any kind, of which one slot, or one place in its table, is what it must not be: each kind and each slot gets its turn. */
  #spoilt(): Buffer {
    const { chance, grammar } = this;
    const attachments: Uint8Array[] = [];
    const entry = grammar.entry(attachments);
    const at = VALUE_AT[entry[0] as number];
    if (at !== undefined && entry[at] === Tag.GRAPH && chance.below(2) === 0) entry[at + 1] = operated(entry[at + 1] as Uint8Array, chance, grammar, false);
    else entry[1 + chance.below(entry.length - 1)] = chance.below(2) === 0 ? composite(chance) : chance.of(PRIMITIVES);
    return bodyOf(pack(entry), attachments);
  }

  #composed(): Draft {
    const { chance, grammar } = this;
    const attachments: Uint8Array[] = [];
    const kind = (): number => 1 + chance.below(19);
    return { entries: Array.from({ length: 1 + chance.below(5) }, () => grammar.entry(attachments, kind())), attachments };
  }
}
