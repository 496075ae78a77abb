// Lets the calling thread import one TypeScript process file and what it imports; everything else is loaded as before.
// Invariant: nothing of this is loaded for JavaScript that Node can read, and no environment variable or process-wide loader is touched.
import * as nodeModule from 'node:module';
import { pathToFileURL } from 'node:url';
import { MessageChannel } from 'node:worker_threads';
import type * as Hooks from './typescript/hooks.js';

type AddRoot = (url: string) => void;

/** Per thread, and shared by all copies of the package in it: hooks must not pile up. */
const REGISTERED = Symbol.for('mimas.typescript');
const HOOKS = new URL('../runtime/typescript/hooks.js', import.meta.url).href;

/**
 * Call it in the thread or process that will import `file`, before the import. May be called again, for the same or
 * another file. Files that are not .ts, .mts or .cts cost nothing.
 */
export async function registerTypeScript(file: string): Promise<void> {
  if (/\.[cm]?ts$/.test(file)) await compileFrom(file);
}

/** The same for any file. Of JavaScript only what is imported with the query `?decorators` is compiled, and what that imports. */
export async function compileFrom(file: string): Promise<void> {
  const shared = globalThis as { [REGISTERED]?: Promise<AddRoot> };
  const addRoot = await (shared[REGISTERED] ??= install());
  addRoot(pathToFileURL(file).href);
}

async function install(): Promise<AddRoot> {
  // Makes stack traces show lines of the source; maps are read only when a stack is, and only of files that carry one.
  process.setSourceMapsEnabled(true);
  if (canHookInThread()) {
    const { addRoot, load, resolve, importCompiler } = (await import(HOOKS)) as typeof Hooks;
    // Deno requires no native module from inside of a hook.
    if (process.versions['deno']) await importCompiler();
    (nodeModule as unknown as { registerHooks(hooks: object): void }).registerHooks({ load, resolve });
    return addRoot;
  }
  const { port1, port2 } = new MessageChannel();
  nodeModule.register(HOOKS, import.meta.url, { data: { port: port2 }, transferList: [port2] });
  return (url) => port1.postMessage(url);
}

/**
 * `registerHooks` saves a thread (some 25 ms), but until 22.19 and 24.5 it broke the named exports of CommonJS packages
 * (nodejs/node#59011); `register` is deprecated from 25.9.
 */
function canHookInThread(): boolean {
  if (!('registerHooks' in nodeModule)) return false;
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major === 22 ? minor >= 19 : major === 24 ? minor >= 5 : major > 24;
}
