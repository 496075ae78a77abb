// From what a user wrote to the absolute path of a process file. Invariant: the path that comes back is a file that a
// process can be loaded from; anything else is a ProcessStartError of phase `resolve` that names the path tried.
// One line serves development and production: where there is no file of that name, its source or its output is meant.
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, extname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { closest, ProcessStartError } from '../errors.js';
import { callerFile } from './caller.js';
import { packageFile } from './package-file.js';

export { callerFile };

/** The extensions a process file may have, each with what a compiler makes of it, or makes it of. */
const COUNTERPARTS: Readonly<Record<string, string>> = { '.js': '.ts', '.mjs': '.mts', '.cjs': '.cts', '.ts': '.js', '.mts': '.mjs', '.cts': '.cjs' };
export const PROCESS_EXTENSIONS: readonly string[] = Object.keys(COUNTERPARTS);

/** What a process is called by its file, until it says its name. */
export const labelOf = (file: string): string => basename(file).replace(/(\.process)?\.[cm]?[jt]s$/, '');

/**
 * A string is a path (relative to `from`), a `file:` URL, or, where no such file is, what a package offers: `@acme/jobs/resize.process`,
 * looked for from `caller` on.
 */
export function resolveProcessFile(file: string | URL, from: string = process.cwd(), caller?: string): string {
  const written = toPath(file, from);
  const path = existing(written) ?? offeredFile(file, written, from, caller) ?? written;
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) throw refuse(path, `there is no file ${path}${isRelative(file) ? ` (${file} was taken relative to ${from})` : ''}`, nearby(path));
  if (!stats.isFile()) {
    throw refuse(path, `${path} is ${stats.isDirectory() ? 'a directory' : 'not a regular file'}; name the process file itself`, nearby(resolve(path, 'index.ts')));
  }
  if (!PROCESS_EXTENSIONS.includes(extname(path))) {
    throw refuse(path, `${path} has an extension that cannot hold a process; it must be one of ${PROCESS_EXTENSIONS.join(', ')}`, nearby(path));
  }
  return path;
}

/** The file of exactly that name, else its counterpart. */
function existing(path: string): string | undefined {
  if (statSync(path, { throwIfNoEntry: false })) return path;
  const extension = extname(path);
  const counterpart = COUNTERPARTS[extension];
  const other = counterpart && path.slice(0, path.length - extension.length) + counterpart;
  return other && statSync(other, { throwIfNoEntry: false })?.isFile() ? other : undefined;
}

/** @throws ProcessStartError when there is such a package, but it does not offer that */
function offeredFile(file: string | URL, written: string, from: string, caller: string | undefined): string | undefined {
  if (typeof file !== 'string' || !isRelative(file) || file.startsWith('.')) return undefined;
  const offered = packageFile(file, caller ?? callerFile() ?? join(from, 'main.js'));
  if (!offered) return undefined;
  const found = offered.path && (existing(offered.path) ?? PROCESS_EXTENSIONS.map((extension) => offered.path + extension).find((path) => existing(path) === path));
  if (found) return found;
  throw refuse(offered.path ?? written, `there is no file ${written}, and ${offered.problem ?? `the package that '${file}' names has no file ${offered.path}`}`, offered.path && nearby(offered.path));
}

function toPath(file: string | URL, from: string): string {
  const given: unknown = file;
  if (typeof given !== 'string' && !(given instanceof URL)) {
    throw refuse('', `a process file is named by a path or a file: URL, not by ${given === null ? 'null' : typeof given === 'function' ? `the class ${given.name}` : typeof given}`);
  }
  if (typeof given === 'string' && !/^[a-z][a-z\d+.-]+:/i.test(given)) {
    if (given.trim() === '') throw refuse('', 'the path of the process file is empty');
    return resolve(from, given);
  }
  try {
    // A query or hash (`file.ts?x`) is not part of the path.
    return fileURLToPath(given);
  } catch (error) {
    throw refuse(String(given), `${String(given)} is not a file: URL`, undefined, error);
  }
}

/** A file beside `path` that was probably meant: the same name with another extension, or a misspelt one. */
function nearby(path: string): string | undefined {
  let siblings: string[];
  try {
    siblings = readdirSync(dirname(path)).filter((name) => PROCESS_EXTENSIONS.includes(extname(name)) && !/\.d\.[cm]?ts$/.test(name));
  } catch {
    return undefined;
  }
  const wanted = basename(path);
  const stem = (name: string) => name.slice(0, name.length - extname(name).length);
  return siblings.find((name) => name !== wanted && (stem(name) === stem(wanted) || stem(name) === wanted))
    ?? siblings.find((name) => stem(name) === `${stem(wanted)}.process`)
    ?? closest(wanted, siblings);
}

function isRelative(file: string | URL): boolean {
  return typeof file === 'string' && !isAbsolute(file) && !/^[a-z][a-z\d+.-]+:/i.test(file);
}

function refuse(file: string, problem: string, suggestion?: string, cause?: unknown): ProcessStartError {
  const hint = suggestion ? `; did you mean ${suggestion}?` : '';
  return new ProcessStartError(`cannot find the process: ${problem}${hint}`, { file, phase: 'resolve', ...(cause === undefined ? {} : { cause }) });
}
