// From what a user wrote to the absolute path of a process file. Invariant: the path that comes back is a file that a
// process can be loaded from; anything else is a ProcessStartError of phase `resolve` that names the path tried.
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, extname, isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { closest, ProcessStartError } from '../errors.js';

/** The extensions a process file may have. */
export const PROCESS_EXTENSIONS: readonly string[] = ['.js', '.mjs', '.ts', '.mts'];

/** What a process without a name is called: the name of its file without `.process` and extension. */
export const labelOf = (file: string): string => basename(file).replace(/(\.process)?\.m?[jt]s$/, '');

/** A string is a path (relative to `from`) or a `file:` URL. */
export function resolveProcessFile(file: string | URL, from: string = process.cwd()): string {
  const path = toPath(file, from);
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
    siblings = readdirSync(dirname(path)).filter((name) => PROCESS_EXTENSIONS.includes(extname(name)) && !/\.d\.m?ts$/.test(name));
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
