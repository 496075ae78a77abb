// What a container needs of this machine to run a Mimas process file: the file's project, and Mimas with what it depends on.
// Everything appears where it is here, so that imports find each other as they do here, and nobody can change it.
import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export const PROCESS_HOST = realpathSync.native(fileURLToPath(new URL('.', import.meta.url))) + `${sep}process-host.js`;

/** Folders, none within another. */
export function processMounts(file: string, folder: string): string[] {
  const own = dirname(dirname(dirname(PROCESS_HOST)));
  const wanted = [folder, projectOf(file), own, dependenciesOf(own)].map((path) => realpathSync.native(path));
  const unique = [...new Set(wanted)];
  return unique.filter((path) => !unique.some((other) => other !== path && path.startsWith(other.endsWith(sep) ? other : other + sep)));
}

/** The nearest folder with a package.json; without one, the folder of the file. */
function projectOf(file: string): string {
  for (let folder = dirname(file); dirname(folder) !== folder; folder = dirname(folder)) if (existsSync(join(folder, 'package.json'))) return folder;
  return dirname(file);
}

/** The node_modules that Mimas finds its dependencies in. */
function dependenciesOf(own: string): string {
  const found = realpathSync.native(createRequire(join(own, 'package.json')).resolve('nanoid'));
  const marker = `${sep}node_modules${sep}`;
  return found.slice(0, found.lastIndexOf(marker) + marker.length - 1);
}
