// Puts in the place of aliases and `<<` what they stand for. What it stands for is counted before anybody walks along it: few lines
// can mean millions of values.
// Invariant: without faults the document is free of aliases, merges and double keys, and at most MOST_VALUES values and DEEPEST deep.
import { isAlias, isMap, isPair, isScalar, isSeq, Pair, Scalar, type Alias, type Document, type Node, type YAMLMap } from 'yaml';
import { DEEPEST } from './compose.js';

export type OnFault = (node: Node | undefined, message: string) => void;

export const MOST_VALUES = 250_000;
/** So many characters count as one more value. */
const CHARACTERS = 64;

interface Measure { readonly values: number; readonly depth: number }
const NOTHING: Measure = { values: 1, depth: 0 };

export function resolveYaml(document: Document, onFault: OnFault, { merge }: { merge: boolean }): void {
  new Resolver(onFault, merge).resolve(document);
}

class Resolver {
  readonly #anchors = new Map<string, Node>();
  /** Of nodes with anchors; undefined as long as their end is not reached. */
  readonly #measures = new Map<Node, Measure | undefined>();
  /** Of the members of maps that `<<` may take. */
  readonly #members = new Map<Pair, Measure>();
  #copied = 0;
  #overflown = false;

  constructor(private readonly onFault: OnFault, private readonly merge: boolean) {}

  resolve(document: Document): void {
    const [node] = this.#settle(document.contents);
    document.contents = node;
  }

  /** The node that stands there, and what it amounts to. */
  #settle(raw: unknown, member = false): [Node | null, Measure] {
    if (isAlias(raw)) return this.#meaning(raw);
    const node = (raw ?? null) as Node | null;
    if (node === null) return [null, NOTHING];
    const { anchor } = node as { anchor?: string };
    if (anchor !== undefined) {
      this.#anchors.set(anchor, node);
      this.#measures.set(node, undefined);
    }
    const measure = this.#bounded(node, this.#measure(node, member || anchor !== undefined));
    if (anchor !== undefined) this.#measures.set(node, measure);
    return [node, measure];
  }

  #meaning(alias: Alias): [Node | null, Measure] {
    const node = this.#anchors.get(alias.source);
    const measure = node && this.#measures.get(node);
    // A value of its own: what reads the document may take it as a text here and as a number there.
    if (node && measure) return [isScalar(node) ? copyOf(node) : node, measure];
    this.onFault(alias, node ? `*${alias.source} stands for itself` : `*${alias.source} stands for nothing`);
    return [null, NOTHING];
  }

  #measure(node: Node, member: boolean): Measure {
    if (isScalar(node)) return typeof node.value === 'string' ? { values: 1 + Math.floor(node.value.length / CHARACTERS), depth: 0 } : NOTHING;
    const sum = { values: 1, depth: 0 };
    if (isMap(node)) this.#settleMap(node, member, sum);
    else if (isSeq(node)) {
      node.items.forEach((item, i) => {
        if (isPair(item)) return add(sum, this.#settlePair(item));
        const [settled, measure] = this.#settle(item);
        node.items[i] = settled;
        add(sum, measure);
      });
    }
    return sum;
  }

  #settleMap(map: YAMLMap, member: boolean, sum: { values: number; depth: number }): void {
    const own = new Set<string>();
    let mergesAt = -1;
    let merged: Pair[] = [];
    map.items.forEach((pair, i) => {
      if (this.#isMerge(pair)) {
        if (mergesAt >= 0) this.onFault(pair.key as Node, 'Map keys must be unique');
        mergesAt = i;
        merged = this.#sources(pair);
        return;
      }
      const measure = this.#settlePair(pair);
      const name = nameOf(pair.key);
      if (name === undefined) this.onFault(pair.key as Node, 'a map or a list cannot be a key');
      else if (own.has(name)) this.onFault(pair.key as Node, 'Map keys must be unique');
      else own.add(name);
      if (member) this.#members.set(pair, measure);
      add(sum, measure);
    });
    if (mergesAt < 0) return;
    const taken: Pair[] = [];
    for (const pair of merged) {
      const name = nameOf(pair.key);
      if (name === undefined || own.has(name)) continue;
      own.add(name);
      taken.push(pair);
      add(sum, this.#members.get(pair) ?? NOTHING);
    }
    map.items = [...map.items.slice(0, mergesAt), ...taken, ...map.items.slice(mergesAt + 1)];
  }

  #settlePair(pair: Pair): Measure {
    const [key, ofKey] = this.#settle(pair.key);
    const [value, ofValue] = this.#settle(pair.value);
    pair.key = key;
    pair.value = value;
    return { values: ofKey.values + ofValue.values, depth: ofValue.depth };
  }

  /** The parser makes a symbol of it. */
  #isMerge({ key }: Pair): boolean {
    return isScalar(key) && (typeof key.value === 'symbol' || (this.merge && key.value === '<<' && key.type === Scalar.PLAIN));
  }

  /** Members of earlier maps come first: they win. */
  #sources(pair: Pair): Pair[] {
    const listed = isSeq(pair.value) ? pair.value.items : [pair.value];
    return listed.flatMap((one): Pair[] => {
      const [node] = this.#settle(one, true);
      if (isMap(node)) return this.#afford(node);
      // A list behind an alias.
      if (isSeq(node) && node.items.every(isMap)) return node.items.flatMap((map) => this.#afford(map as YAMLMap));
      // Of an alias that stands for nothing it has been told.
      if (node !== null || !isAlias(one)) this.onFault((isAlias(one) ? one : node ?? pair.key) as Node, '<< takes in maps');
      return [];
    });
  }

  #afford(map: YAMLMap): Pair[] {
    this.#copied += map.items.length + 1;
    return this.#copied > MOST_VALUES ? (this.#overflow(map), []) : map.items;
  }

  #bounded(node: Node, measure: Measure): Measure {
    if (measure.depth > DEEPEST) {
      this.onFault(node, `nested deeper than ${DEEPEST} levels, with what aliases stand for`);
      return NOTHING;
    }
    if (measure.values <= MOST_VALUES) return measure;
    this.#overflow(node);
    return NOTHING;
  }

  #overflow(node: Node): void {
    if (!this.#overflown) this.onFault(node, `with what aliases and << stand for, there is more in this file than is read: ${MOST_VALUES} values`);
    this.#overflown = true;
  }
}

function copyOf({ value, source, type, range }: Scalar): Scalar {
  return Object.assign(new Scalar(value), { range, ...(source === undefined ? {} : { source }), ...(type === undefined ? {} : { type }) });
}

function add(sum: { values: number; depth: number }, { values, depth }: Measure): void {
  sum.values += values;
  if (depth >= sum.depth) sum.depth = depth + 1;
}

const nameOf = (key: unknown): string | undefined => (key === null ? '' : isScalar(key) ? String(key.value) : undefined);
