// tsyringe for process classes. Invariant: tsyringe is loaded only for a class that carries its metadata, and it is the
// copy that the process file itself imports: a container knows only the classes that its own copy decorated.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

interface Container {
  createChildContainer(): Container;
  register(token: string, provider: { useFactory: () => unknown }): unknown;
  resolve(ctor: unknown): object;
}

type MetadataReader = { getMetadata?(key: string, target: object): unknown };

/** True for a class whose constructor parameters a decorator described: with tokens (`@inject`) or by their types. */
export function isInjectable(ctor: object & { readonly length: number }): boolean {
  if (hasTokens(ctor)) return true;
  const parameters = (Reflect as MetadataReader).getMetadata?.('design:paramtypes', ctor);
  return Array.isArray(parameters) && parameters.length > 0 && ctor.length > 0;
}

const hasTokens = (ctor: object) => (Reflect as MetadataReader).getMetadata?.('injectionTokens', ctor) !== undefined;

/** Resolves `ctor` in a new child container. Every own property of `dependencies` is a token there. */
export async function constructInjected(ctor: new () => object, dependencies: unknown, file: string): Promise<object> {
  const { container } = await importTsyringe(file);
  const own = container.createChildContainer();
  const entries: Iterable<readonly [unknown, unknown]> = dependencies instanceof Map
    ? dependencies
    : Object.entries(typeof dependencies === 'object' && dependencies !== null ? dependencies : {});
  // A factory, because tsyringe takes a registered null or undefined for "nothing registered".
  for (const [name, value] of entries) if (typeof name === 'string') own.register(name, { useFactory: () => value });
  try {
    return own.resolve(ctor);
  } catch (error) {
    // Types alone do not make a class injectable: one that has neither @injectable() nor a token is made like any other.
    if (!hasTokens(ctor) && error instanceof Error && error.message === `TypeInfo not known for "${ctor.name}"`) return new ctor();
    throw error;
  }
}

async function importTsyringe(file: string): Promise<{ container: Container }> {
  try {
    return (await import(pathToFileURL(createRequire(file).resolve('tsyringe')).href)) as { container: Container };
  } catch {
    // The file may get it through another package; then ours is most likely the same, deduplicated copy.
    return (await import('tsyringe')) as unknown as { container: Container };
  }
}
