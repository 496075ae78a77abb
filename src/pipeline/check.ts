// Walks a YAML document along the table of schema.ts and reports what does not fit, each with its place. Aliases and `<<` are
// resolved by now.
import { isMap, isScalar, isSeq, type Node, type Scalar, type YAMLMap } from 'yaml';
import { closest } from '../errors.js';
import { shortened } from '../printable.js';
import { parseBytes, parseDuration } from '../units.js';
import type { Suggest } from './problems.js';
import type { Shape } from './shape.js';

export type Report = (node: Node | undefined, path: string, message: string, suggest?: Suggest) => void;
type Found = 'text' | 'number' | 'flag' | 'null' | 'list' | 'map';

const NAMES: Record<Found, string> = { text: 'a text', number: 'a number', flag: 'true or false', null: 'nothing', list: 'a list', map: 'a map' };
const ACCEPTS: Record<Exclude<Shape['kind'], 'either'>, readonly Found[]> = {
  text: ['text'],
  number: ['number'],
  flag: ['flag'],
  duration: ['text', 'number'],
  size: ['text', 'number'],
  scalar: ['text', 'number', 'flag', 'null'],
  any: ['text', 'number', 'flag', 'null', 'list', 'map'],
  list: ['list'],
  map: ['map'],
  object: ['map'],
};
const EXPECTED: Record<Exclude<Shape['kind'], 'either'>, string> = {
  text: 'a text', number: 'a number', flag: 'true or false', duration: "a duration such as '30s'", size: "a size such as '512MB'", scalar: 'a text, number or flag', any: 'anything', list: 'a list', map: 'a map', object: 'a map',
};

/** No path of a system is longer; a text that may be has `longest`. */
const LONGEST_TEXT = 4096;

export function checkNode(raw: unknown, shape: Shape, path: string, report: Report): void {
  const node = (raw ?? undefined) as Node | undefined;
  const found = typeOf(node);
  if (shape.kind === 'either') {
    const fitting = shape.of.find((one) => accepts(one).includes(found));
    if (fitting) checkNode(node, fitting, path, report);
    else report(node, path, `${path || 'the file'}: ${NAMES[found]} where ${shape.expected} is expected`);
    return;
  }
  if (!ACCEPTS[shape.kind].includes(found)) {
    const numeric = shape.kind === 'text' && found !== 'list' && found !== 'map' && found !== 'null' ? '; put it in quotes' : '';
    report(node, path, `${path || 'the file'}: ${NAMES[found]} where ${EXPECTED[shape.kind]} is expected${numeric}`);
    return;
  }
  const value = isScalar(node) ? node.value : undefined;
  switch (shape.kind) {
    case 'text':
      if ((value as string).length > (shape.longest ?? LONGEST_TEXT)) report(node, path, `${path}: longer than ${shape.longest ?? LONGEST_TEXT} characters`);
      else if (shape.values && !shape.values.includes(value as string)) report(node, path, `${path}: '${shown(value)}' is not one of ${shape.values.join(', ')}`, () => closest(value as string, shape.values!));
      else if (shape.pattern && !shape.pattern.test(value as string)) report(node, path, `${path}: '${shown(value)}' is not ${shape.expected}`);
      return;
    case 'number': {
      const n = value as number;
      if (shape.integer && !Number.isInteger(n)) report(node, path, `${path}: ${n} is not a whole number`);
      else if (!(n >= (shape.min ?? -Infinity) && n <= (shape.max ?? Number.MAX_VALUE))) report(node, path, `${path}: ${n} is not ${shape.max === undefined ? `at least ${shape.min}` : `between ${shape.min} and ${shape.max}`}`);
      return;
    }
    case 'duration':
    case 'size':
      try {
        (shape.kind === 'size' ? parseBytes : parseDuration)(value as string, path);
      } catch (error) {
        report(node, path, (error as Error).message);
      }
      return;
    case 'scalar':
    case 'any':
      // As it was written: 1.10 is no number here, and neither is 007.
      if (isScalar(node) && node.source !== undefined && (found === 'number' || found === 'flag')) node.value = node.source;
      return;
    case 'list':
      if (isSeq(node)) {
        if (node.items.length < (shape.min ?? 0)) report(node, path, `${path}: at least ${shape.min} expected`);
        node.items.forEach((item, i) => checkNode(item, shape.of, `${path}[${i}]`, report));
      }
      return;
    case 'map':
      if (isMap(node)) for (const { key, value: item } of node.items) checkNode(item, shape.of, join(path, keyOf(key)), report);
      return;
    case 'object':
      return checkObject(node as YAMLMap, shape, path, report);
  }
}

function checkObject(node: YAMLMap, shape: Extract<Shape, { kind: 'object' }>, path: string, report: Report): void {
  const known = Object.keys(shape.fields);
  const present: string[] = [];
  for (const { key, value } of node.items) {
    const name = keyOf(key);
    // Fields for anchors, as other tools have them.
    if (path === '' && name.startsWith('x-')) continue;
    const field = Object.hasOwn(shape.fields, name) ? shape.fields[name] : undefined;
    if (!field) {
      report(key as Node, join(path, name), `${path || 'the file'}: unknown field '${shown(name)}'`, () => closest(name, known));
      continue;
    }
    present.push(name);
    checkNode(value, field, join(path, name), report);
  }
  for (const name of shape.required ?? []) if (!present.includes(name)) report(node, path, `${join(path, name)} is required`);
  if (!shape.oneOf) return;
  const chosen = shape.oneOf.filter((name) => present.includes(name));
  if (chosen.length !== 1) report(node, path, `${path}: ${chosen.length === 0 ? 'one' : 'only one'} of ${shape.oneOf.join(', ')} is expected${chosen.length > 1 ? `, not ${chosen.join(' and ')}` : ''}`);
}

const accepts = (shape: Shape): readonly Found[] => (shape.kind === 'either' ? shape.of.flatMap(accepts) : ACCEPTS[shape.kind]);
const shown = (value: unknown): string => shortened(String(value), 100);
const keyOf = (key: unknown): string => String(isScalar(key) ? (key as Scalar).value : key);
const join = (path: string, name: string): string => (path ? `${path}.${name}` : name);

function typeOf(node: Node | undefined): Found {
  if (isMap(node)) return 'map';
  if (isSeq(node)) return 'list';
  const value = isScalar(node) ? node.value : undefined;
  if (typeof value === 'string') return 'text';
  if (typeof value === 'number' || typeof value === 'bigint') return 'number';
  return typeof value === 'boolean' ? 'flag' : 'null';
}
