// The patterns that can be launched: one for each folder with a manifest.yaml. Bad manifests are told and do not hide the
// others; a reload that fails leaves the old set as it was.
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { closest } from '../errors.js';
import { LauncherError } from './errors.js';
import { readManifest, type Manifest } from './manifest.js';
import { manifestError, problemText, type ManifestProblem } from './manifest-reader.js';
import { MANIFEST_FILE, patternFolders } from './pattern-folders.js';
import { PatternsWatcher } from './patterns-watcher.js';

export interface Discovery {
  readonly patterns: ReadonlyMap<string, Manifest>;
  readonly problems: readonly ManifestProblem[];
  /** Subfolders without a manifest. */
  readonly skipped: readonly string[];
  /** The manifests, good and bad, and the files that they name. */
  readonly files: ReadonlySet<string>;
}

/** Reads all manifests below `dir`. @throws LauncherError when there is no such directory, or nothing usable in it */
export function discoverPatterns(dir: string): Discovery {
  const root = resolve(dir);
  if (!existsSync(root)) throw new LauncherError('INVALID_CONFIGURATION', `patterns directory not found: ${root}: no such file or directory`, { context: { patternsDir: root } });
  let folders: string[];
  try {
    folders = patternFolders(root).toSorted();
  } catch (error) {
    throw new LauncherError('INVALID_CONFIGURATION', `read patterns directory: ${(error as Error).message}`, { context: { patternsDir: root }, cause: error });
  }
  const patterns = new Map<string, Manifest>();
  const problems: ManifestProblem[] = [];
  const skipped: string[] = [];
  const files = new Set<string>();
  for (const folder of folders) {
    const file = join(root, folder, MANIFEST_FILE);
    if (!existsSync(file)) {
      skipped.push(folder);
      continue;
    }
    const read = readManifest(file);
    const named = 'problems' in read ? read.names : (read.manifest.executable ?? read.manifest.process);
    for (const one of [file, named]) if (one !== undefined) files.add(one);
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
  return { patterns, problems, skipped, files };
}

export class PatternRegistry {
  readonly dir: string;
  #current: Discovery;
  #watcher: PatternsWatcher | undefined;

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

  /** Reloads when a manifest, or an executable that one names, comes, changes or goes. */
  watch(onReload: (discovery: Discovery) => void, onError: (error: LauncherError) => void): void {
    this.#watcher = new PatternsWatcher(this.dir, () => this.#current.files, () => {
      try {
        onReload(this.reload());
      } catch (error) {
        onError(error as LauncherError);
      }
    }, (error) => onError(new LauncherError('INTERNAL_ERROR', `watching ${this.dir}: ${error.message}`, { cause: error })));
  }

  close(): void {
    this.#watcher?.close();
  }
}
