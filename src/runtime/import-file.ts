// Imports a process file. JavaScript in which a bundler left decorators, which Node cannot read, is compiled and imported anew.
// Invariant: JavaScript that Node can read costs nothing and is never compiled.
import { readFileSync } from 'node:fs';
import { Module } from 'node:module';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Script } from 'node:vm';
import { compileFrom } from './typescript.js';

/** What Node says of a decorator, and of much else. */
const UNREADABLE = 'Invalid or unexpected token';

/** The parts of Node's CommonJS loader that packages have always used. */
interface CommonJs {
  new (id: string): { filename: string; paths: string[]; exports: unknown; _compile(code: string, file: string): void };
  _nodeModulePaths(folder: string): string[];
}

/** `version`: a query that makes it another module than before. */
export async function importFile(file: string, version: string): Promise<Record<string, unknown>> {
  const url = pathToFileURL(file).href;
  try {
    return (await import(version ? `${url}?${version}` : url)) as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof SyntaxError) || error.message !== UNREADABLE || !/\.m?js$/.test(file)) throw error;
    const required = await requireDecorated(file);
    if (required) return { default: required.exports };
    await compileFrom(file);
    return (await import(`${url}?decorators${version && `&${version}`}`)) as Record<string, unknown>;
  }
}

/** Evaluates it if it is CommonJS; what it requires is loaded as ever. Undefined for an ES module. */
async function requireDecorated(file: string): Promise<{ exports: unknown } | undefined> {
  const source = readFileSync(file, 'utf8');
  if (/^(?:import|export)\b/m.test(source)) return undefined;
  const { lowerJavaScript } = await import('./typescript/compile.js');
  const code = lowerJavaScript(file, source);
  if (!isFunctionBody(code)) return undefined;
  const Loader = Module as unknown as CommonJs;
  const made = Object.assign(new Loader(file), { filename: file, paths: Loader._nodeModulePaths(dirname(file)) });
  made._compile(code, file);
  return made;
}

/** Which of the two minified code is, the starts of its lines do not tell. */
function isFunctionBody(code: string): boolean {
  try {
    void new Script(`(function () {${code}\n})`);
    return true;
  } catch {
    return false;
  }
}
