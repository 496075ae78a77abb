// Files that restart a component when they change. Many changes in a row are one.
import { watch as watchPath, statSync, type FSWatcher } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import type { Watch } from './model.js';

interface Watched { readonly watchers: FSWatcher[]; timer: NodeJS.Timeout | undefined }

export interface WatcherOptions {
  /** Folders whose files never count. */
  readonly never?: readonly string[];
  onChange(id: string, path: string): void;
}

export class Watcher {
  readonly #watched = new Map<string, Watched>();

  constructor(private readonly options: WatcherOptions) {}

  watch(id: string, options: Watch | undefined): void {
    this.unwatch(id);
    if (!options) return;
    const watched: Watched = { watchers: [], timer: undefined };
    const changed = (path: string, name: string) => {
      if (options.ignore.some((part) => name.includes(part)) || this.options.never?.some((folder) => path === folder || path.startsWith(folder + sep))) return;
      clearTimeout(watched.timer);
      watched.timer = setTimeout(() => this.options.onChange(id, path), options.debounce);
      watched.timer.unref();
    };
    for (const path of options.paths) watched.watchers.push(...watchOne(path, changed));
    this.#watched.set(id, watched);
  }

  unwatch(id: string): void {
    const watched = this.#watched.get(id);
    if (!watched) return;
    clearTimeout(watched.timer);
    for (const watcher of watched.watchers) watcher.close();
    this.#watched.delete(id);
  }

  close(): void {
    for (const id of this.#watched.keys()) this.unwatch(id);
  }
}

/** A file is watched through its folder: editors replace files, and the watch of a replaced file sees nothing more. */
function watchOne(path: string, changed: (path: string, name: string) => void): FSWatcher[] {
  try {
    const folder = statSync(path).isDirectory();
    const watcher = folder
      ? watchPath(path, { recursive: true }, (_event, name) => changed(join(path, String(name ?? '')), String(name ?? '')))
      : watchPath(dirname(path), (_event, name) => void (name === basename(path) && changed(path, name)));
    watcher.on('error', () => {});
    return [watcher];
  } catch (error) {
    process.emitWarning(`${path} cannot be watched: ${(error as Error).message}`, 'MimasWarning');
    return [];
  }
}
