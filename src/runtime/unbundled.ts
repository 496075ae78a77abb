// Refuses parts of Mimas that load files beside their own when a bundler has put them into a bundle, before anything else of them runs.
import { existsSync } from 'node:fs';
import { dirname } from 'node:path/posix';
import { fileURLToPath } from 'node:url';
import { BundledError } from '../errors.js';

/** `place`: the URL of the calling module, which bundlers change or leave out. `name`: its path within the package, without extension. */
export function refuseBundle(place: string | undefined, name: string): void {
  if (place && new RegExp(`/${name}\\.[jt]s$`).test(place) && existsSync(fileURLToPath(place))) return;
  throw new BundledError(
    `mimas/${dirname(name)} is inside a bundle${place ? ` (${place})` : ''}, but it loads files of the package: keep it out of the bundle: ` +
      "esbuild --external:mimas, rolldown and Rollup external: [/^mimas/], webpack externals: [/^mimas/], Vite ssr.external: ['mimas'] (docs/hosts.md)",
  );
}
