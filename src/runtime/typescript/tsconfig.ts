// What the nearest tsconfig.json says about running a file: which decorators, which class fields, which path aliases.
// Invariant: one read per folder and thread; `include` does not matter, except to choose among project references.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';

export interface CompilerSettings {
  /** The tsconfig.json they come from, if there is one. */
  readonly file: string | undefined;
  /** `experimentalDecorators` as written, so undefined where nothing is said. */
  readonly experimentalDecorators: boolean | undefined;
  readonly emitDecoratorMetadata: boolean | undefined;
  readonly useDefineForClassFields: boolean;
  readonly verbatimModuleSyntax: boolean;
  readonly strictNullChecks: boolean;
  readonly jsx: { readonly runtime: 'automatic' | 'classic'; readonly importSource?: string | undefined };
  /** Candidate paths of a specifier under `paths` and `baseUrl`, best first. */
  readonly aliases: ((specifier: string) => string[]) | undefined;
}

// The part of get-tsconfig that is used here. It is required, not imported: hooks are synchronous, and most threads never need it.
interface ParsedConfig {
  readonly path: string;
  readonly config: {
    readonly compilerOptions?: {
      readonly [option: string]: unknown;
      readonly target?: string;
      readonly jsx?: string;
      readonly jsxImportSource?: string;
    };
    readonly files?: readonly string[];
    readonly include?: readonly string[];
    readonly references?: readonly { readonly path: string }[];
  };
}
interface ConfigReader {
  parseTsconfig(path: string): ParsedConfig['config'];
  createPathsMatcher(config: ParsedConfig): ((specifier: string) => string[]) | null;
  createFilesMatcher(config: ParsedConfig): (path: string) => object | undefined;
}

const require = createRequire(import.meta.url);
const nearest = new Map<string, string | undefined>();
const parsed = new Map<string, ParsedConfig>();
const settings = new Map<ParsedConfig, CompilerSettings>();

/** Where no tsconfig.json says anything. */
export const DEFAULTS: CompilerSettings = {
  file: undefined,
  experimentalDecorators: undefined,
  emitDecoratorMetadata: undefined,
  useDefineForClassFields: true,
  verbatimModuleSyntax: false,
  strictNullChecks: true,
  jsx: { runtime: 'automatic' },
  aliases: undefined,
};

/** The settings in effect for a source file. @throws when its tsconfig.json cannot be read. */
export function settingsFor(file: string): CompilerSettings {
  const path = nearestConfig(dirname(file));
  if (path === undefined) return DEFAULTS;
  const reader = require('get-tsconfig') as ConfigReader;
  let config = read(reader, path);
  if (config.config.references?.length && !reader.createFilesMatcher(config)(file)) {
    // A "solution" tsconfig only points at the real ones; the one that includes the file decides.
    config = config.config.references.map((reference) => read(reader, referenced(path, reference.path)))
      .find((candidate) => reader.createFilesMatcher(candidate)(file)) ?? config;
  }
  let found = settings.get(config);
  if (!found) settings.set(config, (found = settingsOf(reader, config)));
  return found;
}

function nearestConfig(folder: string): string | undefined {
  if (nearest.has(folder)) return nearest.get(folder);
  const candidate = join(folder, 'tsconfig.json');
  const parent = dirname(folder);
  const found = existsSync(candidate) ? candidate : parent === folder ? undefined : nearestConfig(parent);
  nearest.set(folder, found);
  return found;
}

function read(reader: ConfigReader, path: string): ParsedConfig {
  let config = parsed.get(path);
  if (!config) {
    try {
      config = { path, config: reader.parseTsconfig(path) };
    } catch (error) {
      throw new Error(`cannot read ${path}: ${(error as Error).message}`, { cause: error });
    }
    parsed.set(path, config);
  }
  return config;
}

function referenced(from: string, path: string): string {
  const target = resolve(dirname(from), path);
  return target.endsWith('.json') ? target : join(target, 'tsconfig.json');
}

function settingsOf(reader: ConfigReader, config: ParsedConfig): CompilerSettings {
  const options = config.config.compilerOptions ?? {};
  const flag = (option: string) => (typeof options[option] === 'boolean' ? options[option] : undefined);
  return {
    file: config.path,
    experimentalDecorators: flag('experimentalDecorators'),
    emitDecoratorMetadata: flag('emitDecoratorMetadata'),
    useDefineForClassFields: flag('useDefineForClassFields') ?? !/^es(?:3|5|6|20(?:1\d|2[01]))$/i.test(options.target ?? ''),
    verbatimModuleSyntax: flag('verbatimModuleSyntax') ?? false,
    strictNullChecks: flag('strictNullChecks') ?? flag('strict') ?? true,
    jsx: { runtime: options.jsx === 'react' ? 'classic' : 'automatic', importSource: options.jsxImportSource },
    aliases: reader.createPathsMatcher(config) ?? undefined,
  };
}
