// Module hooks for the import graph of TypeScript process files. They run in the importing thread (registerHooks) or on
// Node's hook thread (register). Invariant: a module that no root imported, directly or not, passes through untouched.
import { readFileSync, statSync } from 'node:fs';
import { createRequire, isBuiltin, type LoadFnOutput, type LoadHookContext, type ResolveFnOutput, type ResolveHookContext } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { compile, HELPERS } from './compile.js';
import { settingsFor } from './tsconfig.js';

type Awaitable<T> = T | Promise<T>;

const require = createRequire(import.meta.url);
const TYPESCRIPT = /\.(?:m?ts|tsx)$/;
const RELATIVE = /^(?:\.{0,2}\/|file:)/;
/** What an import may really mean: TypeScript wants the name of the output, the disk has the source. */
const SOURCES: Readonly<Record<string, readonly string[]>> = { '.js': ['.ts', '.tsx'], '.mjs': ['.mts'], '.jsx': ['.tsx'] };
const GUESSES = ['.ts', '.tsx', '.mts', '.js', '.mjs', '/index.ts', '/index.js'];

const roots = new Set<string>();
/** URLs that a root reached, except those of packages inside node_modules. */
const graph = new Set<string>();
let inbox: MessagePort | undefined;

/** Takes a file URL as the root of a graph. */
export function addRoot(url: string): void {
  roots.add(url);
}

/** Called by Node on its hook thread: roots arrive over a port, always before the import that needs them. */
export function initialize(data: { readonly port: MessagePort }): void {
  inbox = data.port;
}

export function resolve<T extends Awaitable<ResolveFnOutput>>(specifier: string, context: ResolveHookContext, next: (specifier: string, context: Partial<ResolveHookContext>) => T): T {
  drain();
  const isRoot = roots.has(withoutQuery(specifier));
  const parent = context.parentURL;
  if (!isRoot && (parent === undefined || !graph.has(parent))) return next(specifier, context);
  // Helpers belong to this package's own compiler; the user's folder need not have them.
  if (specifier.startsWith(HELPERS)) return next(pathToFileURL(require.resolve(specifier)).href, context);
  const target = isRoot || parent === undefined ? specifier : locate(specifier, parent) ?? specifier;
  const own = isRoot || RELATIVE.test(specifier);
  const result = next(target, context);
  if (result instanceof Promise) return result.then((found: ResolveFnOutput) => adopt(found, own)) as T;
  return adopt(result as ResolveFnOutput, own) as T;
}

export function load<T extends Awaitable<LoadFnOutput>>(url: string, context: LoadHookContext, next: (url: string, context: Partial<LoadHookContext>) => T): T {
  const path = graph.has(url) ? fileURLToPath(url) : '';
  if (!TYPESCRIPT.test(path)) return next(url, context);
  return { format: 'module', shortCircuit: true, source: compile(path, readFileSync(path, 'utf8')) } as LoadFnOutput as T;
}

function drain(): void {
  if (inbox) for (let message; (message = receiveMessageOnPort(inbox)); ) addRoot(message.message as string);
}

/** `own`: it belongs to the same package as its parent, so it is part of the graph even inside node_modules. */
function adopt(found: ResolveFnOutput, own: boolean): ResolveFnOutput {
  if (found.url.startsWith('file:') && (own || !found.url.includes('/node_modules/'))) graph.add(found.url);
  return found;
}

/** The file URL that `specifier` means to TypeScript, or undefined where Node's own reading is the right one. */
function locate(specifier: string, parent: string): string | undefined {
  if (RELATIVE.test(specifier)) {
    const url = new URL(specifier, parent);
    const found = source(fileURLToPath(url), TYPESCRIPT.test(withoutQuery(parent)));
    return found && pathToFileURL(found).href + url.search + url.hash;
  }
  if (specifier.startsWith('#') || isBuiltin(specifier) || URL.canParse(specifier)) return undefined;
  for (const candidate of settingsFor(fileURLToPath(parent)).aliases?.(specifier) ?? []) {
    const found = source(candidate, true);
    if (found) return pathToFileURL(found).href;
  }
  return undefined;
}

function source(path: string, preferSource: boolean): string | undefined {
  const extension = /\.[^./\\]+$/.exec(path)?.[0] ?? '';
  const stem = path.slice(0, path.length - extension.length);
  const swaps = (Object.hasOwn(SOURCES, extension) ? SOURCES[extension]! : []).map((other) => stem + other);
  const candidates = preferSource ? [...swaps, path] : [path, ...swaps];
  return [...candidates, ...GUESSES.map((guess) => (guess.startsWith('/') ? join(path, guess) : path + guess))].find(isFile);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/, '');
}
