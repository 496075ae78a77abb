// Entries as the protocol has them, made by chance: each kind, each form of a value, each type of node, with numbers of what is under way.
// Most of it is legal, so that what is then changed in it is read, and is all that there is to notice.
import { entriesOf, helloOf, Kind, Node, Tag } from './entries.js';
import type { Batch } from './raw-peer.js';
import { NAMES, NUMBERS, OPTIONS, PRIMITIVES } from './nasty.js';
import { pack, Raw } from './raw-bytes.js';
import type { Chance } from './random.js';

/** What the number of an entry belongs to, from the side of the peer that speaks. */
export type Owner = 'served' | 'awaited' | 'read' | 'produced' | 'lent' | 'signal';
/** Numbers that were under way when honest peers spoke. */
export type Numbers = Readonly<Record<Owner, readonly number[]>>;

/** Whose number stands in slot 1. */
export const OWNER: Readonly<Record<number, Owner>> = {
  [Kind.CALL]: 'served', [Kind.CALL_FULL]: 'served', [Kind.CALL_REFERENCE]: 'served', [Kind.CANCEL]: 'served', [Kind.RESULT]: 'awaited', [Kind.RESULT_FULL]: 'awaited', [Kind.ERROR]: 'awaited', [Kind.REFUSED]: 'awaited',
  [Kind.NEXT]: 'read', [Kind.END]: 'read', [Kind.FAIL]: 'read', [Kind.CREDIT]: 'produced', [Kind.STOP]: 'produced', [Kind.RETAIN]: 'lent', [Kind.RELEASE]: 'lent', [Kind.ABORT]: 'signal', [Kind.FORGET]: 'signal',
};
/** Where the slots of a value begin. */
export const VALUE_AT: Readonly<Record<number, number>> = { [Kind.CALL]: 3, [Kind.CALL_FULL]: 3, [Kind.CALL_REFERENCE]: 4, [Kind.RESULT]: 2, [Kind.RESULT_FULL]: 2, [Kind.ERROR]: 2, [Kind.REFUSED]: 2, [Kind.CANCEL]: 2, [Kind.NEXT]: 3, [Kind.END]: 2, [Kind.FAIL]: 2, [Kind.ABORT]: 2 };
export const isCall = (kind: unknown): boolean => kind === Kind.CALL || kind === Kind.CALL_FULL || kind === Kind.CALL_REFERENCE;

const METHODS = 20;
/** As many of the newest are remembered. */
const HEARD = 30;
/** Of lists with holes. */
const LENGTHS: readonly number[] = [2, 3, 1_024, 1_025, 65_536, 1e8, 1.3e8, 2 ** 32 - 1];
const LIVE = ['function', 'stream', 'signal', 'proxy', 'readable'] as const;

/** The numbers in frames that were recorded, and the first few of each, which every link has. */
export function numbersOf(batches: readonly Batch[]): Numbers {
  const found: Record<Owner, Set<number>> = { served: new Set(), awaited: new Set(), read: new Set(), produced: new Set(), lent: new Set(), signal: new Set() };
  for (const numbers of Object.values(found)) for (const number of [1, 2, 3]) numbers.add(number);
  for (const { entries } of batches) {
    for (const [kind, id, reference] of entriesOf(entries)) {
      const owner = OWNER[kind as number];
      if (owner && typeof id === 'number') found[owner].add(id);
      if (kind === Kind.CALL_REFERENCE && typeof reference === 'number') found.lent.add(reference);
    }
  }
  return Object.fromEntries(Object.entries(found).map(([owner, numbers]) => [owner, [...numbers]])) as unknown as Numbers;
}

/** Who makes entries of one session. */
export class Grammar {
  #fresh = 70_000;
  /** Of streams and the like that it lends: each is new. */
  #lent = 1_000;
  readonly #heard: Record<Owner, number[]> = { served: [], awaited: [], read: [], produced: [], lent: [], signal: [] };

  constructor(
    private readonly chance: Chance,
    private readonly numbers: Numbers,
    /** Nothing that ends the link. */
    private readonly gentle: boolean,
  ) {}

  /** Of a call that is not under way. */
  fresh(): number {
    return ++this.#fresh;
  }

  number(owner: Owner): number {
    return this.chance.of([...this.numbers[owner], ...this.#heard[owner]]);
  }

  /** What the other side says is under way: with its own numbers a lie goes further. */
  hear(entries: readonly unknown[]): void {
    for (const [kind, id] of entriesOf(entries)) {
      const owner = isCall(kind) ? 'awaited' : kind === Kind.NEXT ? 'produced' : kind === Kind.CREDIT ? 'read' : undefined;
      if (!owner || typeof id !== 'number' || this.#heard[owner].includes(id)) continue;
      if (this.#heard[owner].push(id) > HEARD) this.#heard[owner].shift();
    }
  }

  /** One that belongs to something else, or to nothing. */
  otherNumber(): number {
    const { chance } = this;
    return chance.below(4) === 0 ? chance.below(50) : this.number(chance.of(['served', 'awaited', 'read', 'produced', 'lent', 'signal']));
  }

  /** An entry with the attachments of its value. */
  entry(attachments: Uint8Array[], kind: number = this.chance.below(20)): unknown[] {
    const { chance } = this;
    const owner = OWNER[kind];
    const id = owner === undefined ? chance.below(1_000) : isCall(kind) ? this.fresh() : this.number(owner);
    switch (kind) {
      case Kind.HELLO: return [kind, helloOf('somebody', 'add', 0, -1, 0, 0, 'then', 1, 5, 1, 1)];
      case Kind.CALL: return [kind, id, chance.below(METHODS), ...this.value(undefined, true).slice(0, 2)];
      case Kind.CALL_FULL: return [kind, id, chance.below(METHODS), ...this.value(attachments, true), this.meta()];
      case Kind.CALL_REFERENCE: return [kind, id, this.number('lent'), chance.of(['', '', ...NAMES]), ...this.value(attachments, true), this.meta()];
      case Kind.RESULT: return [kind, id, ...this.value(undefined).slice(0, 2)];
      case Kind.NEXT: return [kind, id, this.gentle ? 1 : 1 + chance.below(100), ...(this.gentle ? ([Tag.INLINE, 1, 0] as const) : this.value(attachments))];
      case Kind.CREDIT: return [kind, id, 1 + chance.below(this.gentle ? 2 : 50)];
      case Kind.STOP: case Kind.RETAIN: case Kind.RELEASE: case Kind.FORGET: case Kind.PING: case Kind.PONG: return [kind, id];
      default: return [kind, id, ...this.value(attachments)];
    }
  }

  /** Deadline and headers. */
  meta(): unknown[] | undefined {
    const { chance } = this;
    if (chance.below(3) === 0) return undefined;
    const meta: unknown[] = [chance.of([0, 0, 1, 20, 5_000, 0.5, 2 ** 31, 2 ** 53, 1e308])];
    for (let i = chance.below(3); i > 0; i--) meta.push(chance.of(NAMES), chance.of(chance.below(2) === 0 ? OPTIONS : NAMES));
    return meta;
  }

  /** Tag, payload, number of attachments. `attachments`: takes them; without, there are none. `list`: as arguments have to be. */
  value(attachments: Uint8Array[] | undefined, list = false): [number, unknown, number] {
    const { chance } = this;
    switch (chance.below(6)) {
      case 0: return [Tag.INLINE, list ? this.#several(() => this.primitive()) : this.primitive(), 0];
      case 1: return [Tag.STANDALONE, pack(list ? this.#several(() => this.#nested(4)) : this.#nested(4)), 0];
      case 2: return [Tag.PLAIN, pack(list ? [this.#record()] : this.#record()), 0];
      default: {
        const from = attachments?.length ?? 0;
        const table = this.table(attachments, list);
        return [Tag.GRAPH, pack(table), (attachments?.length ?? 0) - from];
      }
    }
  }

  /** Of a property, or of a method; who awaits what has a `then` calls it, and a gentle peer has none. */
  name(): string {
    const name = this.chance.below(6) === 0 ? 'then' : this.chance.of(NAMES);
    return this.gentle && name === 'then' ? 'than' : name;
  }

  primitive(): unknown {
    return this.chance.of(PRIMITIVES);
  }

  /** Nodes of all types that refer to each other; the root is the first. */
  table(attachments: Uint8Array[] | undefined, list = false): unknown[] {
    const { chance } = this;
    const count = 1 + chance.below(6);
    const table: unknown[] = [[0]];
    let attached = 0;
    for (let i = 0; i < count; i++) {
      if (i === 0 && list && chance.below(20) === 0) table.push([Node.SPARSE, chance.of(LENGTHS), 0, 1]);
      else if (i === 0 && list) table.push([Node.ARRAY, ...Array.from({ length: count - 1 }, (_, at) => [at + 1])]);
      else {
        const node = this.node(table, count, attachments && attached);
        if (attachments && node[0] === Node.ATTACHED_BUFFER) {
          attachments.push(new Uint8Array(chance.of([1_024, 4_096, 70_000])));
          attached++;
        }
        table.push(node);
      }
    }
    return table;
  }

  /** A node for a table that will have `count` of them. `attached`: attachments so far, if there may be any. */
  node(table: readonly unknown[], count: number, attached?: number): unknown[] {
    const { chance } = this;
    const item = (): unknown => (chance.below(2) === 0 ? [chance.below(count)] : this.primitive());
    const pairs = (key: () => unknown): unknown[] => this.#several(() => [key(), item()]).flat();
    const name = (): unknown => this.name();
    const buffers = table.flatMap((node, at) => (at > 0 && Array.isArray(node) && (node[0] === Node.BUFFER || node[0] === Node.ATTACHED_BUFFER) ? [at - 1] : []));
    const made = chance.below(15);
    const type = made === Node.ATTACHED_BUFFER && attached === undefined ? Node.BUFFER : made;
    switch (type) {
      case Node.OBJECT: return [type, ...pairs(name)];
      case Node.SPARSE: return [type, chance.of(LENGTHS), ...pairs(() => chance.of<unknown>([0, 1, 'x', 'then', 'length']))];
      case Node.MAP: return [type, ...pairs(item)];
      case Node.SET: return [type, ...this.#several(item)];
      case Node.DATE: return [type, chance.of(NUMBERS)];
      case Node.REGEXP: return [type, chance.of(['a+', '(a+)+$', '', '[\\s\\S]*']), chance.of(['', 'g', 'giu', 'v'])];
      case Node.BOX: return [type, chance.of<unknown>([1, 'x', true, 12n, NaN])];
      case Node.BUFFER: return [type, new Uint8Array(chance.below(64)), chance.of([undefined, 64, 4_096])];
      case Node.ATTACHED_BUFFER: return [type, attached, chance.of([undefined, 2 ** 17])];
      case Node.VIEW: return buffers.length === 0 ? [Node.ARRAY] : this.gentle ? [type, chance.below(4), [chance.of(buffers)], 0, chance.of([undefined, 0])] : [type, chance.below(13), [chance.of(buffers)], chance.of([0, 0, 8]), chance.of([undefined, 0, 1, 2])];
      case Node.ERROR: return this.#error(count);
      case Node.LIVE: case 14: return this.live();
      default: return [Node.ARRAY, ...this.#several(item)];
    }
  }

  live(): unknown[] {
    const { chance } = this;
    const kind = chance.of(LIVE);
    const id = ++this.#lent;
    switch (kind) {
      case 'function': return [Node.LIVE, kind, [id, chance.of(NAMES), chance.below(2)]];
      case 'signal': return [Node.LIVE, kind, chance.below(3) === 0 ? [0, ['AbortError', 'x']] : [chance.below(3) === 0 ? this.number('signal') : id]];
      case 'proxy': return [Node.LIVE, kind, [id, 'victim', 'v', ...this.#several(() => (!this.gentle && chance.below(8) === 0 ? this.name() : chance.of(['add', 'echo', 'numbers', 'fail', 'a', 'b'])))]];
      default: return [Node.LIVE, kind, [id]];
    }
  }

  #error(count: number): unknown[] {
    const { chance } = this;
    const [kind, name] = chance.of([[0, 'TypeError'], [1, 'AggregateError'], [2, 'AbortError'], [3, 'CALL_TIMEOUT'], [3, 'PROCESS_CRASHED'], [3, 'NO_SUCH_CODE'], [4, 'Mine'], [0, 'Function']] as const);
    const fields = this.#several(() => [this.name(), chance.below(2) === 0 ? [chance.below(count)] : this.primitive()]).flat();
    return [Node.ERROR, kind, name, chance.of([name, 'then', '']), chance.of(['no', '', 'x'.repeat(2_000)]), chance.of([undefined, 'Error: x\n    at y (z:1:1)']), chance.below(4), [chance.below(count)], [chance.below(count)], ...fields];
  }

  #several<T>(make: () => T): T[] {
    return Array.from({ length: this.chance.below(4) }, make);
  }

  #nested(depth: number): unknown {
    const { chance } = this;
    if (depth === 0 || chance.below(3) === 0) return this.primitive();
    if (chance.below(2) === 0) return this.#several(() => this.#nested(depth - 1));
    return Object.fromEntries(this.#several(() => [chance.of(NAMES), this.#nested(depth - 1)]));
  }

  /** Packed with a definition that later values of the link may use, or with one that was defined before, or was not. */
  #record(): Raw {
    const { chance } = this;
    const id = 0x40 + chance.below(4);
    const values = [pack(chance.below(60)), pack(chance.of(NAMES))];
    return !this.gentle && chance.below(3) === 0 ? new Raw(Buffer.of(id), ...values) : new Raw(Buffer.of(0xd4, 0x72, id), pack([chance.of(NAMES), 'b']), ...values);
  }
}
