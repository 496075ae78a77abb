// Loads the class of a process file into this thread and makes its object.
// Invariant: whatever goes wrong leaves as a ProcessStartError of phase `load` or `construct`, with the file and the cause.
import { readFileSync } from 'node:fs';
import { processSpecOf, type ProcessSpec } from '../decorators/index.js';
import { ProcessStartError, isError } from '../errors.js';
import { importFile } from './import-file.js';
import { constructInjected, isInjectable } from './injection.js';
import { registerTypeScript } from './typescript.js';

export type ProcessClass = new (...args: unknown[]) => object;

export interface LoadOptions {
  /** Above 0 the file is evaluated anew, as a restart in the same thread needs. Modules it imports are not. */
  readonly version?: number | undefined;
}

/** Where a class was loaded from: its container and its errors need the file. */
const files = new WeakMap<object, string>();

/** Imports an absolute path and checks what it exports. */
export async function loadProcessClass(file: string, options: LoadOptions = {}): Promise<{ ctor: ProcessClass; spec: ProcessSpec }> {
  const refuse = (problem: string, cause?: unknown) =>
    new ProcessStartError(`cannot load ${file}: ${problem}`, { file, phase: 'load', ...(cause === undefined ? {} : { cause }) });

  let exported: Record<string, unknown>;
  try {
    await preloadMetadata(file);
    await registerTypeScript(file);
    exported = await importFile(file, options.version !== undefined && options.version > 0 ? `v=${options.version}` : '');
  } catch (error) {
    throw refuse(await explain(error, file), error);
  }

  const ctor = defaultExport(exported);
  if (ctor === undefined) {
    const names = Object.keys(exported).filter((name) => name !== 'default');
    const found = names.length > 0 ? `it exports only ${names.join(', ')}` : 'it exports nothing';
    throw refuse(`it has no default export (${found}); write \`export default class …\``);
  }
  if (typeof ctor !== 'function') throw refuse(`its default export is ${article(ctor)}, not a class; write \`export default class …\``);
  let spec: ProcessSpec | undefined;
  try {
    spec = processSpecOf(ctor);
  } catch (error) {
    throw refuse(await explain(error, file), error);
  }
  if (!spec && !/^class\b/.test(Function.prototype.toString.call(ctor))) {
    throw refuse(`its default export is a function${ctor.name ? ` (${ctor.name})` : ''}, not a class; write \`export default class …\``);
  }
  if (!spec) throw refuse(`the class ${ctor.name || 'it exports'} has no @Process(); put \`@Process()\` above \`export default class ${ctor.name}\``);
  files.set(ctor, file);
  return { ctor: ctor as ProcessClass, spec };
}

/**
 * Makes the object: `new ctor()`, or for a class that tsyringe knows, resolution in a container of its own in which every
 * own property of `dependencies` is registered under its name. `file` is known of a loaded class. `init()` is the caller's.
 */
export async function constructProcess(ctor: ProcessClass, dependencies?: unknown, file: string = files.get(ctor) ?? ''): Promise<object> {
  try {
    return isInjectable(ctor) ? await constructInjected(ctor, dependencies, file) : new ctor();
  } catch (error) {
    const place = file ? ` of ${file}` : '';
    throw new ProcessStartError(`cannot construct ${ctor.name}${place}: ${text(error)}`, { file, phase: 'construct', cause: error });
  }
}

/**
 * Decorators write `design:paramtypes` only if reflect-metadata was there when the class was defined, and tsyringe refuses to
 * load without it. It costs some milliseconds, so only files that name either get it, and they get it before they run.
 */
async function preloadMetadata(file: string): Promise<void> {
  if (/(['"])(?:tsyringe|reflect-metadata)\1/.test(readFileSync(file, 'utf8'))) await import('reflect-metadata');
}

/** The default export; for a CommonJS module that a compiler wrote, the default it meant. */
function defaultExport(exported: Record<string, unknown>): unknown {
  const value = exported['default'];
  if (typeof value === 'object' && value !== null && '__esModule' in value) return (value as { default?: unknown }).default;
  return value;
}

async function explain(error: unknown, file: string): Promise<string> {
  if (!isError(error)) return `it threw ${text(error)} while it was evaluated`;
  const code = (error as NodeJS.ErrnoException).code;
  if (error.name === 'SyntaxError') {
    const link = /does not provide an export named/.test(error.message);
    return link ? `${error.message} (if that is a type, write \`import type\`)` : `syntax error: ${await located(error, file)}`;
  }
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return `an import of it was not found: ${error.message}`;
  if (code === 'INVALID_PROCESS' || code === 'INVALID_OPTION' || code === 'UNKNOWN_OPTION' || code === 'PACKAGE_MISSING') return error.message;
  return `it threw while it was evaluated: ${error.name}: ${error.message}${await otherwise(error)}${evaluatedAt(error, file)}`;
}

/** What to write instead of what only CommonJS has. */
async function otherwise(error: Error): Promise<string> {
  const name = error.name === 'ReferenceError' ? /^(\w+) is not defined/.exec(error.message)?.[1] : undefined;
  const way = name && (await import('./typescript/commonjs.js')).moduleWay(name);
  return way ? ` (${way})` : '';
}

/** A syntax error's message with its place: of TypeScript it is in the message already, of JavaScript Node keeps it to itself. */
async function located(error: Error, file: string): Promise<string> {
  if (/:\d+:\d+\)$/.test(error.message)) return error.message;
  const { syntaxErrorIn } = await import('./typescript/compile.js');
  return syntaxErrorIn(file, readFileSync(file, 'utf8'))?.message ?? error.message;
}

function evaluatedAt(error: Error, file: string): string {
  const frame = error.stack?.split('\n').find((line) => line.includes(file));
  const line = frame?.slice(frame.indexOf(file) + file.length).match(/^(?:\?v=\d+)?:(\d+)/)?.[1];
  return line ? ` (${file}:${line})` : '';
}

function text(error: unknown): string {
  return isError(error) ? error.message || error.name : String(error);
}

function article(value: unknown): string {
  if (value === null) return 'null';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
