// The one door of a process: its public methods by number. Lookup is an array index or a Map of decorated names, never a
// property path, so nothing that is not decorated can be reached.
import { ProtocolError } from '../errors.js';
import type { MethodSpec } from '../decorators/index.js';
import { isReference } from './frames.js';

/** Names that decorators refuse, so no honest process has them. */
const RESERVED = /^(?:\$|__|(?:constructor|init|then)$)/;
/** More names than a person looks through. */
const MAX_WITHHELD = 1_000;

export interface ServiceMethod {
  readonly name: string;
  readonly number: number;
  readonly spec: MethodSpec;
  readonly invoke: (args: unknown[]) => unknown;
  /** Running now; only counted when `concurrency` bounds it. */
  active: number;
  /** Starts the next of those that wait for `concurrency`. */
  readonly waiting: (() => void)[];
  /** Those that wait are being started. */
  draining: boolean;
}

export class Service {
  readonly methods: readonly ServiceMethod[];
  /** Methods of the class that are not public: callers are told what they lack. */
  readonly withheld: readonly string[];

  constructor(
    readonly name: string,
    instance: object,
    specs: Iterable<MethodSpec>,
  ) {
    this.methods = Array.from(specs, (spec, number) => {
      const method = (instance as Record<string, (...args: unknown[]) => unknown>)[spec.name]!;
      return { name: spec.name, number, spec, invoke: (args: unknown[]) => method.apply(instance, args), active: 0, waiting: [], draining: false };
    });
    const open = new Set(this.methods.map((method) => method.name));
    this.withheld = methodNamesOf(instance).filter((method) => !open.has(method) && !RESERVED.test(method)).slice(0, MAX_WITHHELD);
  }
}

/** The names of the methods of an instance, those of its base classes included. Nothing of it runs. */
function methodNamesOf(instance: object): string[] {
  const names = new Set<string>();
  for (let holder: unknown = Object.getPrototypeOf(instance); typeof holder === 'object' && holder !== null && holder !== Object.prototype; holder = Object.getPrototypeOf(holder)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(holder))) if (typeof value === 'function') names.add(name);
  }
  return [...names];
}

/** What a client knows of a method from the handshake. */
export interface MethodInfo {
  readonly name: string;
  readonly number: number;
  readonly stream: boolean;
  readonly timeout: number | undefined;
  readonly idempotent: boolean;
  readonly concurrency: number | undefined;
}


/** @throws ProtocolError for a name that could not stand on a proxy */
export function checkMethodName(name: unknown): string {
  if (typeof name !== 'string' || name === '' || RESERVED.test(name)) throw new ProtocolError(`a process cannot have a method of the name ${typeof name === 'string' ? JSON.stringify(name) : typeof name}`);
  return name;
}

const SLOTS = 5;

export function describeService(service: Service): unknown[] {
  return service.methods.flatMap(({ spec }) => [spec.name, spec.stream ? 1 : 0, spec.timeout ?? -1, spec.idempotent ? 1 : 0, spec.concurrency ?? 0]);
}

/** @throws ProtocolError when it is no list of methods as `describeService` gives it */
export function readService(slots: readonly unknown[]): MethodInfo[] {
  if (slots.length % SLOTS !== 0) throw new ProtocolError('a description of methods that is cut short');
  const methods: MethodInfo[] = [];
  const names = new Set<string>();
  for (let i = 0; i < slots.length; i += SLOTS) {
    const name = checkMethodName(slots[i]);
    const [stream, timeout, idempotent, concurrency] = slots.slice(i + 1, i + SLOTS);
    if (names.has(name)) throw new ProtocolError(`a process cannot have two methods of the name ${JSON.stringify(name)}`);
    if (!isFlag(stream) || typeof timeout !== 'number' || !(timeout >= -1) || !isFlag(idempotent) || !isReference(concurrency)) throw new ProtocolError(`a malformed description of ${name}()`);
    names.add(name);
    methods.push({ name, number: methods.length, stream: stream === 1, timeout: timeout >= 0 ? timeout : undefined, idempotent: idempotent === 1, concurrency: concurrency || undefined });
  }
  return methods;
}

/** The names of methods that are not public. @throws ProtocolError */
export function readWithheld(names: unknown): string[] {
  if (!Array.isArray(names) || names.length > MAX_WITHHELD) throw new ProtocolError('a greeting whose names are no list');
  return names.map(checkMethodName);
}

const isFlag = (slot: unknown): boolean => slot === 0 || slot === 1;
