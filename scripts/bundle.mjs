// Puts what a new thread or child loads into one chunk, and what a first spawn loads into another: a start then reads few files.
// Works on what the compiler wrote to dist/: the files of those modules point to the chunks from then on, all others stay as they are.
import { readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { rolldown } from 'rolldown';

/** By the modules that load them. Earlier chunks keep what they share with later ones. */
const CHUNKS = {
  core: ['runtime/boot-thread.js', 'runtime/boot-child.js', 'index.js'],
  spawn: ['manager/managed-process.js', 'manager/unit.js', 'supervisor/supervisor.js', 'runtime/thread.js'],
};
/** Programs, not modules: evaluating them does something. */
const PROGRAMS = ['runtime/boot-thread.js', 'runtime/boot-child.js'];

/** @param {string} dist */
export async function bundle(dist) {
  const chunkOf = new Map();
  for (const [chunk, roots] of Object.entries(CHUNKS)) for (const file of reached(dist, roots)) if (!chunkOf.has(file)) chunkOf.set(file, chunk);
  for (const program of PROGRAMS) chunkOf.delete(program);
  // msgpackr registers extensions globally, so ours is a copy of our own; and its reader alone loads in a tenth of the time.
  const reader = join(dirname(createRequire(import.meta.url).resolve('msgpackr')), '../unpack.js');
  const licence = readFileSync(join(dirname(reader), 'LICENSE'), 'utf8');
  const ours = (id) => id === reader || chunkOf.has(relative(dist, id)) || PROGRAMS.includes(relative(dist, id));
  const build = await rolldown({
    onLog: (level, log, print) => log.code !== 'INEFFECTIVE_DYNAMIC_IMPORT' && print(level, log),
    input: Object.fromEntries([...chunkOf.keys(), ...PROGRAMS].map((file) => [file.slice(0, -'.js'.length), join(dist, file)])),
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
      },
    ],
  });
  await build.write({
    dir: dist,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name].js',
    banner: ({ name }) => (name === 'core' ? `/* Contains the reader of msgpackr: ${licence.trim().replaceAll('*/', '')} */` : ''),
    codeSplitting: { groups: Object.keys(CHUNKS).map((name) => ({ name, test: (id) => (id === reader ? 'core' : chunkOf.get(relative(dist, id))) === name })) },
  });
  await build.close();
  // The map of a module that moved maps nothing; a chunk can be read as it is, and its map would be read with the first stack of a TypeScript process.
  for (const file of [...chunkOf.keys(), ...PROGRAMS]) rmSync(join(dist, `${file}.map`));
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
