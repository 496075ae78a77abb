// The patterns that can be launched: one for each folder with a manifest.yaml. Bad manifests are told and do not hide the
// others; a reload that fails leaves the old set as it was.
import { existsSync, readdirSync, watch, type FSWatcher } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { closest } from '../errors.js';
import { LauncherError } from './errors.js';
import { manifestError, problemText, readManifest, type Manifest, type ManifestProblem } from './manifest.js';

export const MANIFEST_FILE = 'manifest.yaml';
/** Editors write a file in several steps. */
const WATCH_QUIET_MS = 100;

export interface Discovery {
  readonly patterns: ReadonlyMap<string, Manifest>;
  readonly problems: readonly ManifestProblem[];
  /** Subfolders without a manifest. */
  readonly skipped: readonly string[];
}

/** Reads all manifests below `dir`. @throws LauncherError when there is no such directory, or nothing usable in it */
export function discoverPatterns(dir: string): Discovery {
  const root = resolve(dir);
  if (!existsSync(root)) throw new LauncherError('INVALID_CONFIGURATION', `patterns directory not found: ${root}: no such file or directory`, { context: { patternsDir: root } });
  let folders: string[];
  try {
    folders = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory() || entry.isSymbolicLink()).map(({ name }) => name).toSorted();
  } catch (error) {
    throw new LauncherError('INVALID_CONFIGURATION', `read patterns directory: ${(error as Error).message}`, { context: { patternsDir: root }, cause: error });
  }
  const patterns = new Map<string, Manifest>();
  const problems: ManifestProblem[] = [];
  const skipped: string[] = [];
  for (const folder of folders) {
    const file = join(root, folder, MANIFEST_FILE);
    if (!existsSync(file)) {
      skipped.push(folder);
      continue;
    }
    const read = readManifest(file);
    if ('problems' in read) problems.push(...read.problems);
    else {
      const first = patterns.get(read.manifest.name);
      if (first) problems.push({ file, line: 1, code: 'INVALID_MANIFEST', message: `validate manifest: duplicate pattern name: ${first.name} (also in ${first.file})` });
      else patterns.set(read.manifest.name, read.manifest);
    }
  }
  if (patterns.size === 0) {
    const why = problems.length > 0 ? `\n${problems.map(problemText).join('\n')}` : '';
    throw new LauncherError(problems[0]?.code ?? 'INVALID_CONFIGURATION', `no patterns discovered in directory: ${root}${why}`, { context: { patternsDir: root, problems: problems.length } });
  }
  return { patterns, problems, skipped };
}

export class PatternRegistry {
  readonly dir: string;
  #current: Discovery;
  #watcher: FSWatcher | undefined;
  #quiet: NodeJS.Timeout | undefined;

  /** @throws LauncherError what `discoverPatterns` throws */
  constructor(dir: string) {
    this.dir = resolve(dir);
    this.#current = discoverPatterns(this.dir);
  }

  /** What is wrong with the manifests that were left out. */
  get problems(): readonly ManifestProblem[] {
    return this.#current.problems;
  }

  get skipped(): readonly string[] {
    return this.#current.skipped;
  }

  get count(): number {
    return this.#current.patterns.size;
  }

  list(): Manifest[] {
    return [...this.#current.patterns.values()];
  }

  peek(name: string): Manifest | undefined {
    return this.#current.patterns.get(name);
  }

  /** @throws LauncherError PATTERN_NOT_FOUND; the faults of its manifest, when that is why */
  get(name: string): Manifest {
    const found = this.peek(name);
    if (found) return found;
    // Its manifest may be there, but bad: then its folder tells.
    const bad = this.problems.filter(({ file }) => basename(dirname(file)) === name);
    if (bad.length > 0) throw manifestError(bad);
    const near = closest(name, this.#current.patterns.keys());
    throw new LauncherError('PATTERN_NOT_FOUND', `pattern not found: ${name}`, {
      context: { pattern: name, patternsDir: this.dir },
      ...(near === undefined ? {} : { suggestion: `Did you mean '${near}'?` }),
    });
  }

  /** Reads all again. A failure leaves what was there. @throws LauncherError what `discoverPatterns` throws */
  reload(): Discovery {
    return (this.#current = discoverPatterns(this.dir));
  }

  /** Reloads when something below the directory changes. */
  watch(onReload: (discovery: Discovery) => void, onError: (error: LauncherError) => void): void {
    const changed = () => {
      clearTimeout(this.#quiet);
      this.#quiet = setTimeout(() => {
        try {
          onReload(this.reload());
        } catch (error) {
          onError(error as LauncherError);
        }
      }, WATCH_QUIET_MS);
      this.#quiet.unref();
    };
    this.#watcher = watch(this.dir, { recursive: true, persistent: false }, changed);
    this.#watcher.on('error', (error) => onError(new LauncherError('INTERNAL_ERROR', `watching ${this.dir}: ${error.message}`, { cause: error })));
  }

  close(): void {
    this.#watcher?.close();
    clearTimeout(this.#quiet);
  }
}
