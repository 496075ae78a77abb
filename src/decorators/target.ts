// Tells what a decorator was put on, in either flavour (legacy: target, key, descriptor; standard: value, context), and
// refuses every place where it could not do its work. Invariant: whoever gets a MethodTarget may expose it.
import { InvalidProcessError } from '../errors.js';
import { metadataOf, ownRecord, type ClassRecord, type Constructor } from './metadata.js';

export interface MethodTarget {
  readonly name: string;
  /** `@Public on Calculator.add`, the start of every message about it. */
  readonly where: string;
  readonly record: ClassRecord;
}

export interface ClassTarget {
  readonly where: string;
  readonly record: ClassRecord;
}

interface StandardContext {
  readonly kind: string;
  readonly name?: string | symbol | undefined;
  readonly static?: boolean;
  readonly private?: boolean;
  readonly metadata?: object;
}

/** Names a process keeps for itself: its start (`constructor`, `init`), and `then`, which would make a proxy a promise. */
const RESERVED: ReadonlyMap<string, string> = new Map([
  ['constructor', 'it makes the object and cannot be called'],
  ['init', 'it runs once, before the process is ready'],
  ['then', 'a proxy with a `then` would be taken for a promise by `await`'],
]);

/** A decorator's arguments when it was written without its parentheses (`@Public` instead of `@Public()`). */
export function refuseBare(decorator: string, args: readonly unknown[]): void {
  const [first, second] = args;
  if (args.length < 2 && typeof first !== 'function') return;
  const where = isContext(second) ? String(second.name ?? 'a class') : describe(first, second);
  throw new InvalidProcessError(`@${decorator} on ${where} lacks its parentheses: write @${decorator}()`);
}

/** @throws InvalidProcessError unless the decorator stands on a public instance method with a usable name. */
export function methodTarget(decorator: string, [target, second, descriptor]: readonly unknown[]): MethodTarget {
  const context = isContext(second) ? second : undefined;
  const where = `@${decorator} on ${context ? String(context.name ?? 'a class') : describe(target, second)}`;
  const refuse = (problem: string): never => {
    throw new InvalidProcessError(`${where}: ${problem}`);
  };

  if (context ? context.kind === 'class' : second === undefined) refuse('it belongs on a method, not on a class');
  if (context ? context.static : typeof target === 'function') {
    refuse('a static member belongs to the class, not to the process; make it an instance method');
  }
  if (context?.private) refuse('a private method cannot be reached from outside its class; drop the #');
  const kind = context ? context.kind : legacyKind(descriptor);
  if (kind === 'field') refuse('a field has no method to call when the class is defined; write it as a method');
  if (kind !== 'method') refuse(`${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind} cannot be called; write it as a method`);

  const name = context ? context.name : second;
  if (typeof name !== 'string') return refuse('a method named by a symbol cannot be called from another process; give it a string name');
  if (/^(?:\$|__)/.test(name)) refuse('names that begin with $ or __ are kept for Mimas itself; choose another name');
  const reason = RESERVED.get(name);
  if (reason !== undefined) refuse(`the name ${name} is reserved: ${reason}; choose another name`);
  return { name, where, record: ownRecord(context ? metadataOf(context, where) : (target as object)) };
}

/** @throws InvalidProcessError unless the decorator stands on a class. */
export function classTarget(decorator: string, [target, second]: readonly unknown[]): ClassTarget {
  const context = isContext(second) ? second : undefined;
  const isClass = context ? context.kind === 'class' : typeof target === 'function' && second === undefined;
  const where = `@${decorator} on ${context ? String(context.name ?? 'an unnamed class') : describe(target, second)}`;
  if (!isClass) throw new InvalidProcessError(`${where}: it belongs on the class itself, above \`export default class\``);
  return { where, record: ownRecord(context ? metadataOf(context, where) : ((target as Constructor).prototype as object)) };
}

export function isContext(value: unknown): value is StandardContext {
  return typeof value === 'object' && value !== null && typeof (value as { kind?: unknown }).kind === 'string';
}

function legacyKind(descriptor: unknown): string {
  if (typeof descriptor !== 'object' || descriptor === null) return 'field';
  const { value, get, set } = descriptor as PropertyDescriptor;
  if (get || set) return get ? 'getter' : 'setter';
  return typeof value === 'function' ? 'method' : 'field';
}

export function describe(target: unknown, key: unknown): string {
  const owner = typeof target === 'function' ? target : (target as { constructor?: unknown } | null)?.constructor;
  const className = (typeof owner === 'function' && owner.name) || 'an unnamed class';
  return key === undefined ? className : `${className}.${String(key)}`;
}
