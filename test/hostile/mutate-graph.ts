// Surgery on the table of a GRAPH payload: it is unpacked, changed in one place, and packed again, so that what reads it gets that far.
import { Unpacker } from '#mimas/rpc/unpacker.js';
import { Node } from './entries.js';
import type { Grammar } from './grammar.js';
import { NAMES, NUMBERS, orComposite, PRIMITIVES } from './nasty.js';
import { pack } from './raw-bytes.js';
import type { Chance } from './random.js';

type Table = unknown[];
type Surgery = (table: Table, chance: Chance, grammar: Grammar) => void;

const unpacker = new Unpacker('single');
const LIVE = ['function', 'signal', 'stream', 'readable', 'proxy'] as const;

const nodesOf = (table: Table): unknown[][] => table.slice(1).filter((node): node is unknown[] => Array.isArray(node));
const someNode = (table: Table, chance: Chance, type?: number): unknown[] | undefined => {
  const nodes = nodesOf(table).filter(([found]) => type === undefined || found === type);
  return nodes.length === 0 ? undefined : chance.of(nodes);
};

/** They leave the table one that can be read, mostly. */
const GENTLE: readonly Surgery[] = [
  function retarget(table, chance) {
    const references = nodesOf(table).flatMap((node) => node.filter((item): item is unknown[] => Array.isArray(item) && item.length === 1));
    if (references.length > 0) chance.of(references)[0] = chance.below(table.length - 1);
  },
  function changeItem(table, chance) {
    const node = someNode(table, chance, chance.of([Node.OBJECT, Node.ARRAY, Node.MAP, Node.SET]));
    if (node) node[1 + chance.below(node.length)] = chance.of(PRIMITIVES);
  },
  function nameKey(table, chance, grammar) {
    const node = someNode(table, chance, chance.of([Node.OBJECT, Node.ERROR]));
    if (!node) return;
    const from = node[0] === Node.ERROR ? 9 : 1;
    node.length = Math.max(node.length, from);
    node.push(grammar.name(), chance.below(2) === 0 ? [chance.below(table.length - 1)] : chance.of(PRIMITIVES));
  },
  function insertNode(table, _chance, grammar) {
    table.push(grammar.node(table, table.length));
    const last = nodesOf(table).find(([type]) => type === Node.ARRAY || type === Node.SET);
    last?.push([table.length - 2]);
  },
  function lendUnderSomeName(table, chance, grammar) {
    const object = someNode(table, chance, Node.OBJECT);
    if (!object) return;
    table.push(grammar.live());
    object.push(grammar.name(), [table.length - 2]);
  },
  function sparseLength(table, chance) {
    const node = someNode(table, chance, chance.of([Node.SPARSE, Node.ARRAY]));
    if (!node) return;
    if (node[0] === Node.ARRAY) node.splice(0, node.length, Node.SPARSE, 0);
    node[1] = chance.of([2, 1_024, 1_025, 65_536, 1e8, 1.3e8, 2 ** 32 - 1]);
  },
];

const VIOLENT: readonly Surgery[] = [
  /** Who awaits such a value calls the peer, and waits for it. */
  function thenIsLent(table, chance, grammar) {
    const at = table.length - 1;
    const id = grammar.fresh();
    if (chance.below(2) === 0) table.push([Node.LIVE, 'proxy', [id, 'trap', 'id', 'then', 'add']]);
    else table.push([Node.OBJECT, 'then', [at + 1]], [Node.LIVE, 'function', [id, 'then', 1]]);
    const list = table[1];
    if (Array.isArray(list) && list[0] === Node.ARRAY && chance.below(2) === 0) list.push([at]);
    else table[0] = [at];
  },
  function changeType(table, chance) {
    const node = someNode(table, chance);
    if (node) node[0] = chance.below(3) === 0 ? orComposite(chance, NUMBERS) : chance.below(15);
  },
  function changeSlot(table, chance) {
    const node = someNode(table, chance);
    if (node) node[chance.below(node.length + 1)] = orComposite(chance);
  },
  function changeNumber(table, chance) {
    const numbered = nodesOf(table).filter((node) => node.slice(1).some((item) => typeof item === 'number'));
    if (numbered.length === 0) return;
    const node = chance.of(numbered);
    node[chance.of(node.flatMap((item, at) => (at > 0 && typeof item === 'number' ? [at] : [])))] = chance.of(NUMBERS);
  },
  function spoilReference(table, chance) {
    const references = nodesOf(table).flatMap((node) => node.filter((item): item is unknown[] => Array.isArray(item) && item.length === 1));
    if (references.length > 0) chance.of(references)[0] = chance.of<unknown>([...NUMBERS, [0], '0', 'length', null]);
  },
  function changeLive(table, chance, grammar) {
    const node = someNode(table, chance, Node.LIVE);
    if (!node) return;
    const description = Array.isArray(node[2]) ? (node[2] as unknown[]) : (node[2] = [1] as unknown[]) as unknown[];
    switch (chance.below(5)) {
      case 0: node[1] = chance.of(LIVE); break;
      case 1: node[1] = orComposite(chance, NAMES); break;
      case 2: description[0] = chance.below(2) === 0 ? grammar.otherNumber() : orComposite(chance, NUMBERS); break;
      case 3: description.push(chance.of(chance.below(3) === 0 ? PRIMITIVES : NAMES)); break;
      default: description.length = chance.below(description.length + 1);
    }
  },
  function changeError(table, chance) {
    const node = someNode(table, chance, Node.ERROR);
    if (!node) return;
    const at = 1 + chance.below(8);
    node[at] = at === 1 ? chance.below(6) : at === 6 ? chance.below(8) : chance.below(2) === 0 ? [chance.below(table.length - 1)] : orComposite(chance);
  },
  function changeRoot(table, chance) {
    table[0] = chance.of<unknown>([[chance.below(table.length)], [table.length], [], 5, undefined, [0, 1], { a: 1 }]);
  },
  function dropNode(table, chance) {
    table.splice(1 + chance.below(table.length), 1);
  },
  function doubleNode(table, chance) {
    const node = someNode(table, chance);
    if (node) for (let i = chance.of([1, 1, 3, 50]); i > 0; i--) table.push([...node]);
  },
  function noNode(table, chance) {
    table[1 + chance.below(table.length)] = orComposite(chance);
  },
];

/** The payload after a change; undefined when it is no table. */
export function operated(payload: Uint8Array, chance: Chance, grammar: Grammar, gentle: boolean): Uint8Array | undefined {
  let table: unknown;
  try {
    table = unpacker.unpack(payload, false, Infinity);
  } catch {
    return undefined;
  }
  if (!Array.isArray(table) || table.length < 2) return undefined;
  const surgeries = gentle ? GENTLE : [...GENTLE, ...VIOLENT];
  for (let i = chance.below(2); i >= 0; i--) chance.of(surgeries)(table, chance, grammar);
  return pack(table);
}
