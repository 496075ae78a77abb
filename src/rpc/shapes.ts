// Which object shapes (ordered key lists) travel as records: the sender's half of a link's definitions.
// A shape becomes a record at its second sight, so dictionaries with ever-changing keys stay maps and define nothing.
// Definitions made by a message count only after `commit`; `rollback` forgets them, so a message that is not sent costs nothing.

import { isPlainObject, plainCheckOf, type PlainCheck } from './plain-object.js';
import { MAX_DEFINITIONS } from './weight.js';

/** Ids are one byte, 0x40 to 0x7f; the oldest is given to the next shape when all are taken. */
const FIRST_ID = 0x40;
const MAX_RECORDS = 64;
/** Wider objects are dictionaries in all but name. */
const MAX_KEYS = 48;
/** How many key lists seen only once are remembered. */
const MAX_CANDIDATES = 512;
/** Up to so many children a chain is shorter than a hash. */
const FEW = 8;
/** After so many objects of one shape a check of its own pays. */
const OWN_CHECK_AFTER = 64;

/** A node of the key trie: the shape of the keys that lead to it. */
export class Shape {
  /** 0 while it is not a record. */
  id = 0;
  #first: Shape | undefined;
  #sibling: Shape | undefined;
  #children = 0;
  /** Those beyond the first few, which are found faster by looking at each. */
  #others: Map<string, Shape> | undefined;
  #isPlain: PlainCheck = isPlainObject;
  #asked = 0;

  constructor(
    /** Its last key. */
    readonly key: string,
    /** How many keys. */
    readonly size: number,
  ) {}

  /** The shape of one key more. */
  next(key: string): Shape | undefined {
    for (let child = this.#first; child !== undefined; child = child.#sibling) if (child.key === key) return child;
    return this.#others?.get(key);
  }

  add(key: string): Shape {
    const child = new Shape(key, this.size + 1);
    if (this.#children++ >= FEW) (this.#others ??= new Map()).set(key, child);
    else {
      child.#sibling = this.#first;
      this.#first = child;
    }
    return child;
  }

  /** Says whether an object of these keys is plain data. */
  isPlain(value: object): boolean {
    if (this.#asked < OWN_CHECK_AFTER && ++this.#asked === OWN_CHECK_AFTER) this.#isPlain = plainCheckOf(Object.keys(value).join('\0'));
    return this.#isPlain(value);
  }
}

export class Shapes {
  root = new Shape('', 0);
  private readonly owners: (Shape | undefined)[] = [];
  private nextId = FIRST_ID;
  private readonly candidates = new Set<string>();
  private pending: Shape[] | undefined;
  private nodes = 0;

  /** Says whether a shape without an id may become a record now. */
  admits(keys: readonly string[]): boolean {
    if (keys.length > MAX_KEYS || keys.length === 0 || (this.pending !== undefined && this.pending.length >= MAX_DEFINITIONS)) return false;
    const signature = keys.join('\0');
    if (this.candidates.delete(signature)) return true;
    if (this.candidates.size >= MAX_CANDIDATES) this.candidates.clear();
    this.candidates.add(signature);
    return false;
  }

  /** Gives the shape of `keys` an id; the caller writes the definition. */
  define(keys: readonly string[]): number {
    let node = this.root;
    for (const key of keys) node = this.child(node, key);
    const id = this.nextId;
    this.nextId = id + 1 === FIRST_ID + MAX_RECORDS ? FIRST_ID : id + 1;
    const previous = this.owners[id];
    if (previous) previous.id = 0;
    this.owners[id] = node;
    node.id = id;
    (this.pending ??= []).push(node);
    return id;
  }

  /** The message is complete: its definitions will be sent. */
  commit(): void {
    if (this.pending === undefined) return;
    this.pending = undefined;
    // Shapes that lost their id leave nodes behind; a fresh trie redefines what is still in use.
    if (this.nodes > 8192) this.reset();
  }

  /** The message is given up. An id that it took over from another shape is not given back: that shape is defined anew. */
  rollback(): void {
    if (this.pending === undefined) return;
    for (const node of this.pending) {
      if (node.id !== 0) this.owners[node.id] = undefined;
      node.id = 0;
    }
    this.pending = undefined;
  }

  /** Forgets every definition. Always safe: the receiver overwrites an id that is defined again. */
  reset(): void {
    this.root = new Shape('', 0);
    this.owners.length = 0;
    this.nextId = FIRST_ID;
    this.candidates.clear();
    this.pending = undefined;
    this.nodes = 0;
  }

  private child(node: Shape, key: string): Shape {
    const known = node.next(key);
    if (known === undefined) this.nodes++;
    return known ?? node.add(key);
  }
}
