// How a module comes to the core: chunks/core.js is this and the names that it exports. It imports nothing, and is all of Mimas that a bundler
// puts into a bundle. Invariant: the core comes from the files of the package, of the very build that this text is of, or not at all.
import type { Realm } from './core-script.js';

type Names = Readonly<Record<string, unknown>>;
interface CoreFile {
  (): Names;
  /** Of the script that it loads. */
  readonly key: string;
  in(realm: Realm): Names;
  /** Stacks show the sources of the script from now on. */
  showSources(): void;
}

/** `place`: the URL of the module that this is in. Bundlers of CommonJS know none. */
export function findCore(key: string, version: string, place: string | undefined, load: Realm['load']): Names {
  const core = coreFile(key, version, place);
  // A class of Node is a function of the realm that Node itself lives in.
  if ((process.getBuiltinModule('node:vm').Script as unknown) instanceof Function) {
    if (process.sourceMapsEnabled) core.showSources();
    return core();
  }
  // oxlint-disable-next-line no-eval -- the only way into a realm that no host has to grant
  return core.in({ evaluate: globalThis.eval, load });
}

/** Beside this module; from a bundle, that of the package that is installed where the bundle is. */
function coreFile(key: string, version: string, place: string | undefined): CoreFile {
  const nodeModule = process.getBuiltinModule('node:module');
  // Jest gives a class that inherits from Node's, with a `createRequire` that loads into its realm.
  const { createRequire } = Object.getPrototypeOf(nodeModule.Module) as { createRequire?: typeof nodeModule.createRequire };
  const requireAt = createRequire ?? nodeModule.createRequire;
  // The name of the file that runs is known to CommonJS only.
  const running = typeof __filename === 'string' ? __filename : process.argv[1];
  let other = '';
  let cause: unknown;
  for (const [from, packaged] of [[place, false], [place, true], [running, true]] as const) {
    if (!from) continue;
    try {
      const require = requireAt(from);
      const file = packaged ? require.resolve('mimas').replace(/index\.js$/, 'chunks/core.cjs') : './core.cjs';
      const core = require(file) as CoreFile;
      if (core.key === key) return core;
      if (packaged) other ||= file;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') cause ??= error;
    }
  }
  const problem = other ? `the package at ${other} is another build of it` : `the package is not installed where the bundle is (${place ?? running})`;
  throw Object.assign(
    new Error(
      `mimas ${version} is inside a bundle, but threads and children load files of the package, and ${problem}. Install mimas@${version} beside the bundle, build that anew, and keep it out of the bundle: ` +
        "esbuild --external:mimas, rolldown and Rollup external: ['mimas'], webpack externals: { mimas: 'module mimas' }, Vite ssr.external: ['mimas'] (docs/hosts.md)",
      cause === undefined ? {} : { cause },
    ),
    { name: 'BundledError', code: 'BUNDLED' },
  );
}
