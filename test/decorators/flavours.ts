// The decorator fixtures in both flavours, compiled once per test file.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { emit, root } from '../helpers/compile.js';

const source = (name: string) => join(root, 'test/fixtures/decorators', name);

export type Cases = Record<string, () => unknown>;
export interface Flavour {
  readonly flavour: 'legacy' | 'standard';
  readonly good: Cases;
  readonly bad: Cases;
  readonly hiding: Cases;
  readonly subclass: (base: unknown) => unknown;
}

export const flavours: readonly Flavour[] = await Promise.all((['legacy', 'standard'] as const).map(async (flavour) => {
  const legacy = flavour === 'legacy';
  const folder = emit([source('cases.ts'), ...(legacy ? [] : [source('standard-only.ts')])], { experimentalDecorators: legacy });
  const load = (name: string) => import(/* @vite-ignore */ pathToFileURL(join(folder, name)).href) as Promise<Omit<Flavour, 'flavour'>>;
  const { good, bad, hiding, subclass } = await load('cases.js');
  return { flavour, good, hiding, subclass, bad: legacy ? bad : { ...bad, ...(await load('standard-only.js')).bad } };
}));
