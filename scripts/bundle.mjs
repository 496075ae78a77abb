// Puts what a new thread or child loads into one chunk, and what a first spawn loads into another: a start then reads few files.
// Works on what the compiler wrote to dist/: the files of those modules point to the chunks from then on, all others stay as they are.
// The first chunk becomes a script then, which V8 can compile from a cache.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { rolldown } from 'rolldown';

/** By the modules that load them. Earlier chunks keep what they share with later ones. */
const CHUNKS = {
  core: ['runtime/boot-thread.js', 'runtime/boot-child.js', 'runtime/home.js', 'index.js'],
  child: ['runtime/child.js'],
  spawn: ['manager/managed-process.js', 'manager/unit.js', 'supervisor/supervisor.js', 'runtime/thread.js'],
};
const MAP_COMMENT = /^\/\/# sourceMappingURL=.*\n?/gm;
/** Made of the core, not a part of it: what loads the script, and what modules find that with. */
const LOADER = 'runtime/core-script.js';
const FINDER = 'runtime/find-core.js';

/** @param {string} dist */
export async function bundle(dist) {
  const chunkOf = new Map();
  for (const [chunk, roots] of Object.entries(CHUNKS)) for (const file of reached(dist, roots)) if (!chunkOf.has(file)) chunkOf.set(file, chunk);
  // msgpackr registers extensions globally, so ours is a copy of our own; and its reader alone loads in a tenth of the time.
  const reader = join(dirname(createRequire(import.meta.url).resolve('msgpackr')), '../unpack.js');
  const licence = readFileSync(join(dirname(reader), 'LICENSE'), 'utf8');
  const ours = (id) => id === reader || chunkOf.has(relative(dist, id));
  const build = await rolldown({
    onLog: (level, log, print) => log.code !== 'INEFFECTIVE_DYNAMIC_IMPORT' && print(level, log),
    input: Object.fromEntries([...chunkOf.keys()].map((file) => [file.slice(0, -'.js'.length), join(dist, file)])),
    platform: 'node',
    tsconfig: false,
    treeshake: false,
    preserveEntrySignatures: 'strict',
    plugins: [
      {
        name: 'chunks',
        resolveId: (specifier, importer) => {
          if (specifier === 'msgpackr/unpack') return reader;
          const id = importer && specifier.startsWith('.') ? resolve(dirname(importer), specifier) : specifier;
          return { id, external: !ours(id) };
        },
        // With the compiler's map, so that those of the chunks lead to the sources.
        load: (id) => (existsSync(`${id}.map`) ? { code: readFileSync(id, 'utf8').replace(MAP_COMMENT, ''), map: readFileSync(`${id}.map`, 'utf8') } : null),
      },
    ],
  });
  await build.write({
    dir: dist,
    format: 'esm',
    sourcemap: true,
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name].js',
    banner: ({ name }) => (name === 'core' ? `/* Contains the reader of msgpackr: ${licence.trim().replaceAll('*/', '')} */` : ''),
    codeSplitting: { groups: Object.keys(CHUNKS).map((name) => ({ name, test: (id) => (id === reader ? 'core' : chunkOf.get(relative(dist, id))) === name })) },
  });
  await build.close();
  writeCore(dist);
  // The map of a module that moved maps nothing.
  for (const file of chunkOf.keys()) {
    rmSync(join(dist, `${file}.map`), { force: true });
    if (existsSync(join(dist, file))) writeFileSync(join(dist, file), readFileSync(join(dist, file), 'utf8').replace(MAP_COMMENT, ''));
  }
}

/** The modules that evaluating `roots` evaluates. */
function reached(dist, roots) {
  const seen = new Set();
  const visit = (file) => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, specifier] of readFileSync(join(dist, file), 'utf8').matchAll(/^(?:import|export)\s[^;]*?from '(\.[^']*)';/gm)) visit(relative(dist, resolve(dist, dirname(file), specifier)));
  };
  for (const root of roots) visit(root);
  return seen;
}

/**
 * Makes a script of the core's chunk, because V8 compiles scripts from a cache, and of modules Node takes none. Four files come of it:
 * chunks/core-body.cjs, the script; chunks/core.cjs, which evaluates it once an isolate; chunks/core.js, which exports its names to modules
 * and asks for a core of their own when they are of another realm than Node's;
 * and what threads and children run first, CommonJS as well: they need Node's loader of modules for the process file only.
 */
function writeCore(dist) {
  const file = join(dist, 'chunks/core.js');
  const [chunk, exported] = readFileSync(file, 'utf8').replace(MAP_COMMENT, '').split(/^export (?=\{)/m);
  const names = [...exported.matchAll(/(?<=[{,] )[\w$]+/g)].map(([name]) => name);
  const locals = names.join(', ');
  const changing = names.filter((name) => new RegExp(`^let ${name.replaceAll('$', '\\$')}\\b`, 'm').test(chunk));
  if (changing.length > 0) throw new Error(`modules would not see these exports of the core change: ${changing.join(', ')}`);

  const script = `(function (coreBuiltin, coreImport, coreUrl, coreScript, coreHome) { "use strict";\n${asScript(dist, chunk)}return { ${locals} };\n});\n`;
  const key = createHash('sha256').update(script).digest('hex').slice(0, 16);
  writeFileSync(join(dist, 'chunks/core-body.cjs'), `/* ${key} */${script}`);
  writeMap(dist, chunk);

  const embedded = (name) => readFileSync(join(dist, name), 'utf8').replace(/^export (?=function)/gm, '').replace(/^(?:export \{\};|\/\/# sourceMappingURL.*)\n?/gm, '');
  writeFileSync(join(dist, 'chunks/core.cjs'), `"use strict";
${embedded(LOADER)}const url = process.getBuiltinModule('node:url').pathToFileURL(__dirname + '/core-body.cjs').href;
let core;
module.exports = (cache) => (core ??= loadCore(url, '${key}', (id) => import(id), cache));
// Node reads maps of modules alone: an empty one under the name of the script stands in for it. For programs that show sources; processes, whose
// stacks leave out frames of this package, start faster without.
let shown = !process.getBuiltinModule('node:worker_threads').isMainThread;
const showSources = () => {
  if (shown) return;
  const Module = process.getBuiltinModule('node:module');
  shown = new Module(__dirname + '/core-body.cjs');
  shown._compile('//# sourceMappingURL=core-body.cjs.map', __dirname + '/core-body.cjs');
};
Object.assign(module.exports, { key: '${key}', sharedCache, pipedCache: (fd) => ((shown = true), pipedCache(fd)), showSources, in: (realm) => loadCoreIn(realm, url, () => module.exports()) });
`);
  const { version } = JSON.parse(readFileSync(join(dist, '../package.json'), 'utf8'));
  writeFileSync(file, `${embedded(FINDER)}const { ${locals} } = findCore('${key}', '${version}', import.meta.url, (id) => import(/* webpackIgnore: true */ /* @vite-ignore */ id));\nexport ${exported}`);
  writeFileSync(join(dist, 'runtime/boot-thread.cjs'), `// The first file of a worker thread.
const core = require('../chunks/core.cjs');
core(core.sharedCache(process.getBuiltinModule('node:worker_threads').workerData)).bootThread();
`);
  writeFileSync(join(dist, 'runtime/boot-child.cjs'), `// The first file of a child process.
const core = require('../chunks/core.cjs');
core(core.pipedCache(3)).bootChild();
`);
  // The other chunks need nothing of the bundler's runtime, but name it.
  for (const name of Object.keys(CHUNKS).filter((chunk) => chunk !== 'core')) {
    const other = join(dist, `chunks/${name}.js`);
    writeFileSync(other, readFileSync(other, 'utf8').replace(/^import "\.\/rolldown-runtime\.js";$/m, ''));
  }
  for (const left of ['chunks/rolldown-runtime.js', 'chunks/rolldown-runtime.js.map', ...[LOADER, FINDER].flatMap((name) => [name, `${name}.map`])]) rmSync(join(dist, left), { force: true });
}

const RUNTIME_IMPORT = /^import .* from "\.\/rolldown-runtime\.js";\n/m;
const runtimeOf = (dist) => readFileSync(join(dist, 'chunks/rolldown-runtime.js'), 'utf8').replace(MAP_COMMENT, '').replace(/^(?:import|export) .*\n/gm, '');

/** The map of the chunk, moved to where its lines stand in the script: behind a first line, and behind what an import became. */
function writeMap(dist, chunk) {
  const map = JSON.parse(readFileSync(join(dist, 'chunks/core.js.map'), 'utf8'));
  const { file: _file, debugId: _id, ...rest } = map;
  const moved = 1 + (RUNTIME_IMPORT.test(chunk) ? runtimeOf(dist).split('\n').length - 2 : 0);
  writeFileSync(join(dist, 'chunks/core-body.cjs.map'), JSON.stringify({ ...rest, file: 'core-body.cjs', sourcesContent: undefined, mappings: ';'.repeat(moved) + map.mappings }));
  rmSync(join(dist, 'chunks/core.js.map'));
}

/** The statements of the core's chunk, in terms of the parameters that `writeCore` gives them. Nothing else in src/ has their names. */
function asScript(dist, chunk) {
  const script = chunk
    .replace(RUNTIME_IMPORT, () => runtimeOf(dist))
    .replace(/^import (?:\* as )?(\{[^}]*\}|[\w$]+) from "([^"]*)";$/gm, (_, names, id) => {
      if (!isBuiltin(id)) throw new Error(`the core imports ${id}`);
      return `const ${names.replaceAll(' as ', ': ')} = coreBuiltin("${id}");`;
    })
    .replaceAll('import.meta.url', 'coreUrl')
    // In a script Node knows of no place that an import starts from. The one in core.cjs starts from the same folder.
    .replace(/\bimport\(/g, 'coreImport(')
    // So that a character takes one byte of memory.
    .replace(/[^\0-\x7f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
  if (/\bcore(?:Builtin|Import|Url)\b/.test(chunk)) throw new Error('the core has names of its own that begin with core');
  if (/^(?:import|export)\b|\bimport\.meta|^await\b/m.test(script)) throw new Error('the core has something that only modules have');
  return script;
}
