// The layers of src/: each may import only from those to its left. Type-only imports count as well.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../helpers/compile.js';

const src = join(root, 'src');
/** From left to right; layers of one rank may not import each other unless `BESIDE` says so. */
const RANKS = [['errors', 'types', 'units', 'heap', 'optional', 'printable', 'yaml'], ['decorators'], ['rpc'], ['transport'], ['runtime'], ['supervisor'], ['isolation', 'pool'], ['manager'], ['launcher', 'pipeline'], ['cli', 'dashboard']];
/** The bottom: small files that stand alone. */
const BOTTOM = new Set(RANKS[0]);
/** The supervisor knows nothing of RPC: it may import the bottom only. */
const NOT_FOR_SUPERVISOR = new Set(['decorators', 'rpc', 'transport', 'runtime']);
/** Doors to the outside, and the last layer that each may open: they gather what the package exports, and only doors import doors. */
const DOORS: Readonly<Record<string, string>> = { index: 'manager', compat: 'manager', register: 'runtime' };

interface Import { file: string; from: string; to: string }

function files(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? files(join(folder, entry.name)) : entry.name.endsWith('.ts') ? [join(folder, entry.name)] : []));
}

const layerOf = (file: string): string => relative(src, file).split('/')[0]!.replace(/\.ts$/, '');

const imports: Import[] = files(src).flatMap((file) => {
  const text = readFileSync(file, 'utf8').replace(/^\s*(?:\/\/|\*|\/\*).*$/gm, '');
  const specifiers = [...text.matchAll(/(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)(['"])(\.{1,2}\/[^'"]+)\1/g)].map((match) => match[2]!);
  return specifiers.map((specifier) => ({ file: relative(src, file), from: layerOf(file), to: layerOf(resolve(dirname(file), specifier).replace(/\.js$/, '.ts')) }));
});
const rankOf = (layer: string): number => RANKS.findIndex((rank) => rank.includes(layer));
const show = ({ file, to }: Import) => `${file} imports ${to}`;

describe('layers', () => {
  it('finds the imports', () => {
    expect(imports.length).toBeGreaterThan(200);
    expect(imports.some(({ file, to }) => file === 'manager/process-manager.ts' && to === 'runtime')).toBe(true);
  });

  it('knows every folder and file of src/', () => {
    const layers = new Set(files(src).map(layerOf));
    expect([...layers].filter((layer) => rankOf(layer) < 0 && !(layer in DOORS) && layer !== 'testing')).toEqual([]);
  });

  it('imports go to the left only', () => {
    const wrong = imports.filter(({ from, to }) => {
      if (from === to || from === 'testing' || from in DOORS) return false;
      // Within the bottom: errors stand alone, the others may use them.
      if (BOTTOM.has(from) && BOTTOM.has(to)) return from === 'errors';
      return rankOf(to) >= rankOf(from) || rankOf(to) < 0;
    });
    expect(wrong.map(show)).toEqual([]);
  });

  it('the supervisor imports nothing of decorators, rpc, transport or runtime', () => {
    expect(imports.filter(({ from, to }) => from === 'supervisor' && NOT_FOR_SUPERVISOR.has(to)).map(show)).toEqual([]);
  });

  it('nothing imports testing or a door', () => {
    expect(imports.filter(({ from, to }) => from !== to && (to === 'testing' || (to in DOORS && !(from in DOORS)))).map(show)).toEqual([]);
  });

  it('a door opens its own part of the house only', () => {
    expect(imports.filter(({ from, to }) => from in DOORS && rankOf(to) > rankOf(DOORS[from]!)).map(show)).toEqual([]);
  });
});
