// Compiles fixture sources with the real TypeScript compiler into a temporary folder in which 'mimas' is this package.
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { temporaryFolder } from './temporary.js';

export const root = resolve(import.meta.dirname, '../..');
const require = createRequire(import.meta.url);
const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc');

/** An empty folder outside the repository whose node_modules hold this package (and what else is named) as links. */
export function temporaryProject(...packages: string[]): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules/mimas'), 'dir');
  for (const name of packages) symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), 'dir');
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  return folder;
}

/** Emits `files` without type-checking them; returns the folder with the JavaScript. */
export function emit(files: readonly string[], flags: { experimentalDecorators: boolean }): string {
  const folder = temporaryProject();
  const config = { target: 'es2022', module: 'nodenext', noCheck: true, noEmitOnError: false, outDir: folder, rootDir: dirname(files[0]!), types: [], ...flags };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: config, files }));
  typescript(['-p', folder]);
  return folder;
}

/** Runs the compiler; its output is what it has to say. */
export function typescript(args: readonly string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, ...args], { encoding: 'utf8', cwd: root });
  return { status, output: stdout + stderr };
}
