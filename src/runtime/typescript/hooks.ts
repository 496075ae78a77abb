// Module hooks for the import graph of TypeScript process files. They run in the importing thread (registerHooks) or on
// Node's hook thread (register). Invariants: a module that no root imported, directly or not, passes through untouched; a
// `require`, which registerHooks sees and register does not, is answered with paths where an `import` is with URLs.
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { createRequire, isBuiltin, type LoadFnOutput, type LoadHookContext, type ResolveFnOutput, type ResolveHookContext } from 'node:module';
import { dirname, join, resolve as resolvePath } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { isCommonJs, jsonModule, JSON_MODULE } from './commonjs.js';
import { compile, compileDecorators, hasDecorators, HELPERS, importCompiler } from './compile.js';
import { settingsFor } from './tsconfig.js';

export { importCompiler };

type Awaitable<T> = T | Promise<T>;

const require = createRequire(import.meta.url);
const TYPESCRIPT = /\.(?:[cm]?ts|tsx)$/;
const RELATIVE = /^(?:\.{0,2}\/|\.{1,2}$|file:)/;
/** What an import may really mean: TypeScript wants the name of the output, the disk has the source. */
const SOURCES: Readonly<Record<string, readonly string[]>> = { '.js': ['.ts', '.tsx'], '.mjs': ['.mts'], '.cjs': ['.cts'], '.jsx': ['.tsx'] };
const GUESSES = ['.ts', '.tsx', '.mts', '.cts', '.js', '.mjs', '/index.ts', '/index.js'];

/** Marks JavaScript that is evaluated anew because Node could not read it: its decorators are compiled, and those of what it imports. */
const MARK = '?decorators';
const JAVASCRIPT = /\.m?js$/;

const roots = new Set<string>();
/** URLs that a root reached, except those of packages inside node_modules. */
const graph = new Set<string>();
let inbox: MessagePort | undefined;

/** Takes a file URL as the root of a graph, under its real name: that is what Node resolves links to. */
export function addRoot(url: string): void {
  roots.add(url).add(pathToFileURL(realpathSync(fileURLToPath(url))).href);
}

/** Called by Node on its hook thread: roots arrive over a port, always before the import that needs them. */
export async function initialize(data: { readonly port: MessagePort }): Promise<void> {
  inbox = data.port;
  await importCompiler();
}

export function resolve<T extends Awaitable<ResolveFnOutput>>(specifier: string, context: ResolveHookContext, next: (specifier: string, context: Partial<ResolveHookContext>) => T): T {
  drain();
  const parent = context.parentURL !== undefined && graph.has(context.parentURL) ? context.parentURL : undefined;
  const adopted = (found: ResolveFnOutput) => adopt(found, parent !== undefined, RELATIVE.test(specifier));
  const marked = parent?.includes(MARK) && RELATIVE.test(specifier);
  if (parent && context.conditions.includes('require')) return adopted(resolveRequired(specifier, parent, (path) => next(path, context) as ResolveFnOutput)) as T;
  // Helpers belong to this package's own compiler; the user's folder need not have them.
  if (parent && specifier.startsWith(HELPERS)) return next(pathToFileURL(require.resolve(specifier)).href, context);
  const meant = parent && imported(specifier, parent);
  if (parent && (meant ?? specifier).endsWith('.json') && isTypeScript(parent) && !context.importAttributes['type'] && isCommonJs(fileURLToPath(parent))) {
    const asModule = (found: ResolveFnOutput) => ({ ...found, url: found.url + JSON_MODULE, shortCircuit: true });
    const json = next(meant ?? specifier, { ...context, importAttributes: { type: 'json' } });
    return (json instanceof Promise ? json.then(asModule) : asModule(json as ResolveFnOutput)) as T;
  }
  const result = next(meant ?? specifier, context);
  const taken = (found: ResolveFnOutput) => adopted(marked && JAVASCRIPT.test(found.url) ? { ...found, url: found.url + MARK } : found);
  return (result instanceof Promise ? result.then(taken) : taken(result as ResolveFnOutput)) as T;
}

/** From TypeScript a `require` finds what an `import` finds; from CommonJS, what Node finds, and TypeScript only where that is nothing. */
function resolveRequired(specifier: string, parent: string, next: (path: string) => ResolveFnOutput): ResolveFnOutput {
  if (isTypeScript(parent)) return next(required(specifier, parent) ?? specifier);
  try {
    return next(specifier);
  } catch (error) {
    const path = (error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND' ? required(specifier, parent) : undefined;
    if (path === undefined) throw error;
    return next(path);
  }
}

export function load<T extends Awaitable<LoadFnOutput>>(url: string, context: LoadHookContext, next: (url: string, context: Partial<LoadHookContext>) => T): T {
  // Looking for the names that a CommonJS module exports again, Node 22 reads `node:test` and its like as a file of that name if there is a hook.
  if (!inbox && url.startsWith('node:') && !context.format && context.conditions.includes('require')) return { format: 'builtin', shortCircuit: true } as LoadFnOutput as T;
  if (url.endsWith(JSON_MODULE)) return { format: 'module', shortCircuit: true, source: jsonModule(url.slice(0, -JSON_MODULE.length)) } as LoadFnOutput as T;
  const path = graph.has(url) ? fileURLToPath(url) : '';
  if (url.includes(MARK) && JAVASCRIPT.test(path)) {
    const source = readFileSync(path, 'utf8');
    if (hasDecorators(source)) return { format: 'module', shortCircuit: true, source: compileDecorators(path, source) } as LoadFnOutput as T;
  }
  if (!TYPESCRIPT.test(path)) return next(url, context);
  return { format: 'module', shortCircuit: true, source: compile(path, readFileSync(path, 'utf8')) } as LoadFnOutput as T;
}

function drain(): void {
  if (inbox) for (let message; (message = receiveMessageOnPort(inbox)); ) addRoot(message.message as string);
}

/** A root joins the graph, and what a member imports, except other packages: `relative` imports stay in the member's own. */
function adopt(found: ResolveFnOutput, imported: boolean, relative: boolean): ResolveFnOutput {
  const isFile = found.url.startsWith('file:');
  if (isFile && (imported ? relative || !found.url.includes('/node_modules/') : roots.has(withoutQuery(found.url)))) graph.add(found.url);
  return found;
}

/** The file URL that an imported `specifier` means to TypeScript, or undefined where Node's own reading is the right one. */
function imported(specifier: string, parent: string): string | undefined {
  const alias = aliased(specifier, parent);
  if (alias !== undefined) return pathToFileURL(alias).href;
  if (!RELATIVE.test(specifier)) return undefined;
  const url = new URL(specifier, parent);
  const found = source(fileURLToPath(url), isTypeScript(parent));
  return found && pathToFileURL(found).href + url.search + url.hash;
}

/** The same of a required one, as a path: to `require`, URLs, queries and escapes are letters of a name. */
function required(specifier: string, parent: string): string | undefined {
  return RELATIVE.test(specifier) ? source(resolvePath(dirname(fileURLToPath(parent)), specifier), isTypeScript(parent)) : aliased(specifier, parent);
}

/** What `paths` and `baseUrl` of the tsconfig make of it. */
function aliased(specifier: string, parent: string): string | undefined {
  if (RELATIVE.test(specifier) || specifier.startsWith('#') || isBuiltin(specifier) || URL.canParse(specifier)) return undefined;
  for (const candidate of settingsFor(fileURLToPath(parent)).aliases?.(specifier) ?? []) {
    const found = source(candidate, true);
    if (found) return found;
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

function isTypeScript(url: string): boolean {
  return TYPESCRIPT.test(withoutQuery(url));
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/, '');
}
