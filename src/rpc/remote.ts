// The object that stands for a process: a method per public method, nothing else. Known methods are own properties, so a
// call meets no Proxy trap; only unknown names reach the Proxy behind it. It pretends nothing: a name that is no public method is
// undefined, because frameworks ask what they are given for hooks of their own; one that lacks `@Public()` says so when it is called.
import { inspect } from 'node:util';
import { closest, MethodNotFoundError } from '../errors.js';
import type { CallOptions } from '../types.js';
import { checkCallOptions } from './call-options.js';
import { told } from './maybe-executed.js';

/** What a proxy stands for. Everything that can be called (a process, a pool, a lent proxy) implements this one verb. */
export interface RemoteTarget {
  readonly name: string;
  readonly id: string;
  methods(): readonly string[];
  /** Methods of its class that are not public. */
  withheld?(): readonly string[];
  invoke(method: string, args: unknown[], options: CallOptions): unknown;
  /** What `$handle` gives. */
  readonly handle?: unknown;
}

const TARGET = Symbol.for('mimas.remote');
const NONE: CallOptions = Object.freeze({});

export const remoteTargetOf = (value: unknown): RemoteTarget | undefined =>
  (typeof value === 'object' || typeof value === 'function') && value !== null ? ((value as Record<symbol, RemoteTarget | undefined>)[TARGET] ?? undefined) : undefined;

/** Makes the proxy of `target`. */
export function createRemote(target: RemoteTarget, options: CallOptions = NONE): object {
  const unknown = new Proxy({} as object, {
    get(_, name, receiver) {
      if (typeof name === 'symbol' || name === 'then' || name === 'catch' || name === 'finally' || name === 'toJSON') return undefined;
      if (!target.methods().includes(name)) {
        // What any object has: `${proxy}` and a debugger call these without asking.
        if (name in Object.prototype) return Reflect.get(Object.prototype, name, receiver);
        if (name.startsWith('$') || name.startsWith('__')) return undefined;
        return target.withheld?.().includes(name) ? (..._args: unknown[]) => Promise.reject(told(methodNotFound(target, name), false)) : undefined;
      }
      const method = methodOf(target, name, options);
      Object.defineProperty(receiver as object, name, { value: method, enumerable: true, configurable: true });
      return method;
    },
    has: (_, name) => typeof name === 'string' && (target.methods().includes(name) || name in Object.prototype),
    set(_, name) {
      throw new TypeError(`${target.name}: cannot set ${String(name)} on the proxy of a process; its state lives in the process`);
    },
  });
  const remote = Object.create(unknown) as Record<string | symbol, unknown>;
  const hidden = (name: string | symbol, value: unknown) => Object.defineProperty(remote, name, { value, enumerable: false });
  hidden(TARGET, target);
  hidden('$with', (more: CallOptions) => createRemote(target, mergeOptions(options, checkCallOptions(more))));
  hidden('__processId', target.id);
  Object.defineProperty(remote, '$handle', { get: () => target.handle, enumerable: false });
  Object.defineProperty(remote, Symbol.asyncDispose, { get: () => endOf(target.handle), enumerable: false });
  hidden(Symbol.toStringTag, `Remote(${target.name})`);
  hidden(inspect.custom, () => `Remote<${target.name}> { id: '${target.id}', methods: [${target.methods().join(', ')}] }`);
  for (const name of target.methods()) Object.defineProperty(remote, name, { value: methodOf(target, name, options), enumerable: true, configurable: true });
  return remote;
}

/** What `await using` does at the end of its block; a proxy that somebody lent ends nothing. */
function endOf(handle: unknown): (() => Promise<void>) | undefined {
  const { stop, close } = (handle ?? {}) as { stop?(): Promise<void>; close?(): Promise<void> };
  const end = stop ?? close;
  return end && (() => end.call(handle));
}

function methodOf(target: RemoteTarget, name: string, options: CallOptions): (...args: unknown[]) => unknown {
  const method = (...args: unknown[]) => target.invoke(name, args, options);
  Object.defineProperty(method, 'name', { value: name });
  return method;
}

function mergeOptions(base: CallOptions, more: CallOptions): CallOptions {
  const headers = base.headers && more.headers ? { ...base.headers, ...more.headers } : (more.headers ?? base.headers);
  return headers ? { ...base, ...more, headers } : { ...base, ...more };
}

export function methodNotFound(target: Pick<RemoteTarget, 'name' | 'methods' | 'withheld'>, name: string): MethodNotFoundError {
  const methods = target.methods();
  const suggestion = closest(name, methods);
  const hint = suggestion ? `did you mean ${suggestion}()?` : `it has ${methods.length > 0 ? methods.map((method) => `${method}()`).join(', ') : 'no public method'}`;
  const problem = target.withheld?.().includes(name)
    ? `${target.name}.${name}() is not public: decorate it with @Public()${suggestion ? `, or ${hint}` : ''}`
    : `${target.name} has no public method ${name}(): ${hint} Methods must be decorated with @Public()`;
  return new MethodNotFoundError(problem, {
    method: name,
    process: target.name,
    methods,
    ...(suggestion === undefined ? {} : { suggestion }),
  });
}
