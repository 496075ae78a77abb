// @Supervisor and @Child: a supervision tree written as a class. The class is never constructed; its fields give the children
// their names and types. Both flavours of decorators work. Invariant: what would be ignored is refused where it is written.
import { InvalidOptionError, InvalidProcessError } from '../errors.js';
import { metadataOf, type Constructor } from '../decorators/metadata.js';
import { describe, isContext, refuseBare } from '../decorators/target.js';
import { resolveGroupOptions } from '../supervisor/group-options.js';
import { refuseUnknown } from '../supervisor/options.js';
import { checkChildOptions, GROUP_OPTIONS, type ProcessChild, type SupervisionOptions, type SupervisorChild } from './supervision-options.js';

type Named<Child> = Omit<Child, 'name'> & { /** Default: the name of the field. */ name?: string };
/** What `@Child()` takes: a process file, or another class with `@Supervisor()`. */
export type ChildOptions = Named<ProcessChild> | Named<SupervisorChild>;

export interface ChildDecorator {
  (value: undefined, context: ClassFieldDecoratorContext & { readonly static: false; readonly private: false }): void;
  (target: object & { prototype?: never }, key: string): void;
}
export type SupervisorDecorator = (target: Constructor, context?: ClassDecoratorContext) => void;

interface TreeRecord {
  options?: SupervisionOptions;
  readonly children: Map<string, ChildOptions>;
}

// Well-known, so that two copies of the package read each other.
const RECORD = Symbol.for('mimas.supervisor');
const METADATA = (Symbol as { metadata?: symbol }).metadata ?? Symbol.for('Symbol.metadata');

/** Marks a class whose `@Child()` fields are a supervision tree for `pm.supervise(TheClass)`. */
export function Supervisor(options?: SupervisionOptions): SupervisorDecorator;
export function Supervisor(...args: unknown[]): SupervisorDecorator {
  refuseBare('Supervisor', args);
  return (...[target, second]: unknown[]) => {
    const context = isContext(second) ? second : undefined;
    const where = `@Supervisor on ${context ? String(context.name ?? 'an unnamed class') : describe(target, second)}`;
    if (context ? context.kind !== 'class' : typeof target !== 'function' || second !== undefined) throw new InvalidProcessError(`${where}: it belongs on the class itself`);
    const record = recordOn(context ? metadataOf(context, where) : ((target as Constructor).prototype as object));
    if (record.options) throw new InvalidProcessError(`${where}: it stands there twice; keep one`);
    const options = args[0] ?? {};
    if (typeof options !== 'object') throw new InvalidOptionError(`${where}: options are an object such as { strategy }`, { option: '' });
    refuseUnknown(options, GROUP_OPTIONS, where);
    resolveGroupOptions(options);
    record.options = options;
  };
}

/** Makes a field of a `@Supervisor()` class a child. Children start in the order in which they are written. */
export function Child(options: ChildOptions): ChildDecorator;
export function Child(...args: unknown[]): ChildDecorator {
  refuseBare('Child', args);
  return (...[target, second, descriptor]: unknown[]) => {
    const context = isContext(second) ? second : undefined;
    const where = `@Child on ${context ? String(context.name ?? 'a class') : describe(target, second)}`;
    const refuse = (problem: string): never => {
      throw new InvalidProcessError(`${where}: ${problem}`);
    };
    if (context ? context.kind === 'class' : second === undefined) refuse('it belongs on a field, not on a class');
    if (context ? context.static : typeof target === 'function') refuse('a static field is not part of the tree; make it an instance field');
    if (context?.private) refuse('a private field cannot be asked for; drop the #');
    if (context ? context.kind !== 'field' : descriptor !== undefined) refuse('it belongs on a field, such as `@Child({ file }) cache!: Cache`');
    const name = context ? context.name : second;
    if (typeof name !== 'string') return refuse('a field named by a symbol cannot be asked for; give it a string name');
    const options = args[0];
    if (typeof options !== 'object' || options === null) throw new InvalidOptionError(`${where}: options are an object such as { file }`, { option: 'file' });
    checkChildOptions(options, where, 'supervisor' in options ? 'supervisor' : 'file');
    const { children } = recordOn(context ? metadataOf(context, where) : (target as object));
    if (children.has(name)) refuse('it stands there twice; keep one');
    children.set(name, options as ChildOptions);
  };
}

/** The tree of a class: children of base classes first. @throws InvalidProcessError */
export function supervisorSpecOf(ctor: unknown): { options: SupervisionOptions; children: (ProcessChild | SupervisorChild)[] } {
  const className = (typeof ctor === 'function' && ctor.name) || 'an unnamed class';
  let options: SupervisionOptions | undefined;
  const fields = new Map<string, ChildOptions>();
  const records: TreeRecord[] = [];
  for (let owner: unknown = ctor; typeof owner === 'function'; owner = Object.getPrototypeOf(owner)) {
    for (const holder of [own(owner, METADATA), own(owner, 'prototype')]) {
      const record = typeof holder === 'object' && holder !== null ? (own(holder, RECORD) as TreeRecord | undefined) : undefined;
      if (record) records.unshift(record);
    }
  }
  for (const record of records) {
    options = record.options ?? options;
    for (const [field, child] of record.children) fields.set(field, child);
  }
  if (!options) throw new InvalidProcessError(`${className} has no @Supervisor(); pm.supervise() takes a class with it, or a list of children`);
  if (fields.size === 0) throw new InvalidProcessError(`@Supervisor on ${className}: it has no @Child() field, so there is nothing to supervise`);
  return { options: { name: className, ...options }, children: Array.from(fields, ([field, child]) => ({ ...child, name: child.name ?? field })) };
}

function recordOn(holder: object): TreeRecord {
  const found = own(holder, RECORD) as TreeRecord | undefined;
  if (found) return found;
  const record: TreeRecord = { children: new Map() };
  Object.defineProperty(holder, RECORD, { value: record, configurable: true });
  return record;
}

const own = (holder: object, key: PropertyKey): unknown => Object.getOwnPropertyDescriptor(holder, key)?.value;
