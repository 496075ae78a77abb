// Tells when a manifest, or a file that one names, may have changed. It watches folders, not whole trees: what patterns write
// beside their manifest is no reason to read all of them again.
import { watch, type FSWatcher } from 'node:fs';
import { dirname, join } from 'node:path';
import { MANIFEST_FILE, patternFolders } from './pattern-folders.js';

/** Editors and builds write in several steps. */
const QUIET_MS = 100;

export class PatternsWatcher {
  #watchers = new Map<string, FSWatcher>();
  #quiet: NodeJS.Timeout | undefined;

  /** `files` are those that matter at present; `onChange` may change them. Errors of watching go to `onError`. */
  constructor(private readonly root: string, private readonly files: () => ReadonlySet<string>, private readonly onChange: () => void, private readonly onError: (error: Error) => void) {
    this.#open();
  }

  close(): void {
    clearTimeout(this.#quiet);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #changed(): void {
    // Not put off by further changes, or there might always be one.
    if (this.#quiet) return;
    this.#quiet = setTimeout(() => {
      this.#quiet = undefined;
      // A folder may have been replaced by another of its name. Watched first and read then: nothing is missed between.
      const before = this.#watchers;
      this.#watchers = new Map();
      this.#open();
      for (const watcher of before.values()) watcher.close();
      this.onChange();
      this.#open();
    }, QUIET_MS);
    this.#quiet.unref();
  }

  /** Watches what is not watched yet. */
  #open(): void {
    const folders = new Set([this.root, ...subfolders(this.root)]);
    for (const file of this.files()) folders.add(dirname(file));
    for (const folder of folders) {
      if (this.#watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, { persistent: false }, (event, name) => {
          // In the root only the coming and going of folders counts.
          if (name === null || (folder === this.root ? event === 'rename' : this.files().has(join(folder, name)) || name === MANIFEST_FILE)) this.#changed();
        });
        watcher.on('error', this.onError);
        this.#watchers.set(folder, watcher);
      } catch (error) {
        if (!['ENOENT', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code))) this.onError(error as Error);
      }
    }
  }
}

function subfolders(root: string): string[] {
  try {
    return patternFolders(root).map((name) => join(root, name));
  } catch {
    // It is gone for the moment; the reading tells.
    return [];
  }
}
