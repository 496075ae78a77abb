// A process file that a package offers: `@acme/jobs/resize.process`, as an `import` in the caller's file would find it.
// Node gives only `require`'s reading of that on Node 20, which passes over `exports` that are for `import` alone.
import { readFileSync, statSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { dirname, join } from 'node:path';

interface Package { readonly folder: string; readonly name?: unknown; readonly exports?: unknown; readonly imports?: unknown }
interface PnpApi { resolveToUnqualified(name: string, from: string): string | null }

/** `problem`: there is such a package, but it does not offer that. */
export type PackageFile = { readonly path: string; readonly problem?: undefined } | { readonly path?: undefined; readonly problem: string };

const SPECIFIER = /^((?:@[^/@\s]+\/)?[^./#@\s][^/\s]*)(\/.*)?$/;

/** What `specifier` means in the file `from`; undefined when it names no package that is installed there. */
export function packageFile(specifier: string, from: string): PackageFile | undefined {
  if (specifier.startsWith('#')) {
    const scope = scopeOf(from);
    return scope && offered(scope, specifier, scope.imports, 'imports');
  }
  const [, name, rest = ''] = SPECIFIER.exec(specifier) ?? [];
  if (name === undefined) return undefined;
  const found = packageOf(name, from);
  if (!found) return undefined;
  if (found.exports === undefined || found.exports === null) return rest === '' ? { problem: `name a file of the package ${name}, such as ${name}/calculator.process.js` } : { path: join(found.folder, rest) };
  return offered(found, `.${rest}`, isConditions(found.exports) ? { '.': found.exports } : found.exports, 'exports');
}

function packageOf(name: string, from: string): Package | undefined {
  const scope = scopeOf(from);
  if (scope?.name === name && scope.exports !== undefined) return scope;
  for (let folder = dirname(from); ; folder = dirname(folder)) {
    const found = read(join(folder, 'node_modules', name));
    if (found) return found;
    if (dirname(folder) === folder) break;
  }
  // Yarn's Plug'n'Play has no such folders.
  const { findPnpApi } = nodeModule as { findPnpApi?: (from: string) => PnpApi | null };
  try {
    const folder = findPnpApi?.(from)?.resolveToUnqualified(name, from);
    return folder ? read(folder) : undefined;
  } catch {
    return undefined;
  }
}

/** The package that a file belongs to. */
function scopeOf(file: string): Package | undefined {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const found = read(folder);
    if (found || dirname(folder) === folder) return found;
  }
}

function read(folder: string): Package | undefined {
  const file = join(folder, 'package.json');
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return undefined;
  return { ...(JSON.parse(readFileSync(file, 'utf8')) as object), folder };
}

const isConditions = (exports: unknown): boolean => typeof exports !== 'object' || exports === null || Array.isArray(exports) || !Object.keys(exports).some((key) => key.startsWith('.'));

function offered({ folder, name }: Package, key: string, table: unknown, field: string): PackageFile {
  const target = match(key, (table ?? {}) as Record<string, unknown>);
  if (typeof target === 'string' && target.startsWith('./')) return { path: join(folder, target) };
  const other = typeof target === 'string' && field === 'imports' ? packageFile(target, join(folder, 'package.json')) : undefined;
  return other ?? { problem: `the ${field} of ${join(folder, 'package.json')} (${String(name)}) do not offer '${key}'` };
}

/** https://nodejs.org/api/esm.html#resolution-algorithm-specification, PACKAGE_IMPORTS_EXPORTS_RESOLVE. */
function match(key: string, table: Readonly<Record<string, unknown>>): string | undefined {
  if (Object.hasOwn(table, key) && !key.includes('*')) return target(table[key], undefined);
  const patterns = Object.keys(table).filter((pattern) => pattern.split('*').length === 2);
  // The longest text before the star is the best match, then the longest pattern.
  patterns.sort((a, b) => b.indexOf('*') - a.indexOf('*') || b.length - a.length);
  for (const pattern of patterns) {
    const [head = '', tail = ''] = pattern.split('*');
    if (key.startsWith(head) && key.length > head.length + tail.length - 1 && key.endsWith(tail)) return target(table[pattern], key.slice(head.length, key.length - tail.length));
  }
  return undefined;
}

function target(value: unknown, star: string | undefined): string | undefined {
  if (typeof value === 'string') return star === undefined ? value : value.replaceAll('*', star);
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) {
    for (const item of value) {
      const found = target(item, star);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  for (const [condition, item] of Object.entries(value)) {
    if (!conditions().has(condition)) continue;
    const found = target(item, star);
    if (found !== undefined || item === null) return found;
  }
  return undefined;
}

/** Those of an import, with those that the program was given by `--conditions`. */
function conditions(): ReadonlySet<string> {
  const flags = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)];
  const own = flags.flatMap((flag, at) => (flag === '-C' || flag === '--conditions' ? [flags[at + 1] ?? ''] : (/^--conditions=(.+)/.exec(flag)?.slice(1) ?? [])));
  return new Set(['node', 'import', 'module-sync', 'default', ...own]);
}
