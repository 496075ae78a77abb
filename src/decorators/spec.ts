// Reads what the decorators of a class and its bases say into one ProcessSpec: the allowlist of the dispatcher.
// Invariant: every method a spec names is a function on the prototype; nothing that was not decorated is in it.
import { InvalidProcessError } from '../errors.js';
import { recordsOf, type Constructor } from './metadata.js';

export interface MethodSpec {
  readonly name: string;
  /** Milliseconds. */
  readonly timeout?: number;
  readonly idempotent?: boolean;
  readonly concurrency?: number;
  /** It is a generator function. Other methods may return iterables all the same; that shows at run time. */
  readonly stream: boolean;
}

export interface HealthCheckSpec {
  readonly method: string;
  readonly interval?: number;
  readonly timeout?: number;
}

export interface ProcessSpec {
  readonly name: string;
  readonly version?: string;
  readonly description?: string;
  readonly methods: ReadonlyMap<string, MethodSpec>;
  readonly healthChecks: readonly HealthCheckSpec[];
  readonly shutdownHooks: readonly string[];
}

const cache = new WeakMap<Constructor, ProcessSpec>();

/**
 * The spec of a class, or undefined when neither it nor a base has @Process.
 * The nearest @Process counts as a whole; of a method that is decorated again, the nearest options count as a whole.
 * @throws InvalidProcessError when a subclass hides a decorated method behind something that is not a method.
 */
export function processSpecOf(ctor: unknown): ProcessSpec | undefined {
  if (typeof ctor !== 'function') return undefined;
  const known = cache.get(ctor as Constructor);
  if (known) return known;
  const records = recordsOf(ctor as Constructor).map(({ record }) => record);
  const process = records.findLast((record) => record.process)?.process;
  if (!process) return undefined;

  const methods = new Map<string, MethodSpec>();
  const healthChecks = new Map<string, HealthCheckSpec>();
  const shutdownHooks = new Set<string>();
  for (const record of records) {
    for (const [name, options] of record.methods) methods.set(name, { name, ...options, stream: isGenerator(methodOf(ctor, name)) });
    for (const [method, options] of record.healthChecks) healthChecks.set(method, { method, ...options });
    for (const name of record.shutdownHooks) shutdownHooks.add(name);
  }
  for (const name of [...healthChecks.keys(), ...shutdownHooks]) methodOf(ctor, name);
  const spec: ProcessSpec = {
    ...process,
    name: process.name ?? (ctor.name || 'process'),
    methods,
    healthChecks: [...healthChecks.values()],
    shutdownHooks: [...shutdownHooks],
  };
  cache.set(ctor as Constructor, spec);
  return spec;
}

function methodOf(ctor: { readonly name: string; readonly prototype: unknown }, name: string): object {
  for (let holder = ctor.prototype; typeof holder === 'object' && holder !== null; holder = Object.getPrototypeOf(holder)) {
    const descriptor = Object.getOwnPropertyDescriptor(holder, name);
    if (descriptor === undefined) continue;
    if (typeof descriptor.value === 'function') return descriptor.value as object;
    break;
  }
  throw new InvalidProcessError(`${ctor.name}.${name} is decorated in a base class, but here it is no method; rename it or make it a method`);
}

function isGenerator(method: object): boolean {
  return /^(?:Async)?GeneratorFunction$/.test((method as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] ?? '');
}
