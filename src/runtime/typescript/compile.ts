// One TypeScript file to JavaScript that this Node runs, synchronously, with an inline source map.
// oxc does everything but standard decorators, which it leaves as they stand; only files that have some beside Mimas' own go to
// esbuild, which is optional.
import { createRequire } from 'node:module';
import { missingFor } from '../../optional.js';
import { COMMONJS_NAMES, importsForRequires, speaksCommonJs, withCommonJs } from './commonjs.js';
import { foreignDecorator } from './decorators.js';
import { DEFAULTS, settingsFor, type CompilerSettings } from './tsconfig.js';

// The parts of the two compilers that are used here. Each is required by the first file that needs it.
interface Oxc {
  transformSync(file: string, source: string, options: object): {
    readonly code: string;
    readonly map?: object;
    readonly helpersUsed: Readonly<Record<string, string>>;
    readonly errors: readonly OxcDiagnostic[];
  };
}
interface OxcDiagnostic {
  readonly severity: string;
  readonly message: string;
  readonly labels: readonly { readonly start: number }[];
}
interface Esbuild {
  transformSync(source: string, options: object): { readonly code: string };
}
interface EsbuildFailure {
  readonly errors?: readonly { readonly text: string; readonly location: { readonly line: number; readonly column: number } | null }[];
}

/** Where the helpers live that oxc's output imports. */
export const HELPERS = '@oxc-project/runtime/helpers/';

const require = createRequire(import.meta.url);
/** An `@name` that starts an expression, outside lines that are comments. A needless hit costs a compiler run, no more. */
const DECORATOR = /^(?!\s*(?:\*|\/\/|\/\*(?!.*\*\/))).*?(?:^|[\s({;,])@[\p{L}_$(]/mu;
const CURE = 'have it compile decorators (docs/hosts.md)';
const CONTAINER = /(['"])(?:tsyringe|reflect-metadata)\1/;

let oxc: Oxc | undefined;
const loadOxc = (): Oxc => (oxc ??= require('oxc-transform') as Oxc);

/** For Node's hook thread, on which 22.18, 24.4 and others before them cannot require a module, as this compiler is one. */
export async function importCompiler(): Promise<void> {
  oxc ??= (await import('oxc-transform' as string)) as Oxc;
}

/** Compiles the text of `file`. @throws SyntaxError naming file, line and column. */
export function compile(file: string, source: string): string {
  return speaksCommonJs(file, source) ? withCommonJs(lower(file, importsForRequires(file, source), COMMONJS_NAMES), source) : lower(file, source, {});
}

type Names = Readonly<Record<string, string>>;

/** `names`: free names, and what to write in their place. */
function lower(file: string, source: string, names: Names): string {
  const settings = settingsFor(file);
  const says = settings.experimentalDecorators;
  const container = CONTAINER.test(source);
  // Where no flag decides, standard decorators are the language; but a container needs the metadata that only legacy ones get.
  const legacy = says ?? container;
  if (!legacy && DECORATOR.test(source)) {
    const { code, parameters } = lowerLegacy(file, source, settings, { metadata: false, names });
    const foreign = foreignDecorator(code);
    if (foreign === undefined) return code;
    // What stands at a parameter is a legacy one, where nothing says otherwise.
    if (says === false || !parameters) {
      try {
        return lowerStandard(file, source, settings, { foreign, names });
      } catch (error) {
        const failure = (error as EsbuildFailure).errors?.[0];
        throw failure ? syntaxError(file, failure.text, (failure.location?.line ?? 1), (failure.location?.column ?? 0) + 1) : error;
      }
    }
  }
  // Metadata refers to types at run time, so an imported interface in a decorated signature breaks the module (TS1272).
  // It is therefore emitted where it was asked for, or where a container will read it.
  return lowerLegacy(file, source, settings, { metadata: settings.emitDecoratorMetadata ?? (container || !legacy), names }).code;
}

export const hasDecorators = (source: string): boolean => DECORATOR.test(source);

/** What bundlers make of a decorated class: oxc takes decorators of declarations only, and this means the same as one. */
const CLASS_EXPRESSION = /^(?:var|let|const) ([\w$]+) = (@[^;]*?) class( extends [\w$.]+)? \{/gm;

/** What is JavaScript already stays as it is. */
const JAVASCRIPT: CompilerSettings = { ...DEFAULTS, useDefineForClassFields: true, verbatimModuleSyntax: true };

/** Compiles the decorators that a bundler left in an ES module, and nothing else of it. @throws SyntaxError naming file, line and column */
export function compileDecorators(file: string, source: string): string {
  const { code } = lowerLegacy(file, source.replaceAll(CLASS_EXPRESSION, '$2 class $1$3 {'), JAVASCRIPT, { metadata: false, names: {} });
  return foreignDecorator(code) === undefined ? code : lowerJavaScript(file, source);
}

/** The same for any JavaScript, by esbuild. */
export function lowerJavaScript(file: string, source: string): string {
  const line = source.slice(0, DECORATOR.exec(source)?.index ?? 0).split('\n').length;
  try {
    return loadEsbuild(` (a bundler left decorators in ${file}:${line}; or ${CURE})`).transformSync(source, { loader: 'js', sourcefile: file, sourcemap: 'inline', sourcesContent: false, target: 'esnext', supported: { decorators: false }, logLevel: 'silent' }).code;
  } catch (error) {
    const failure = (error as EsbuildFailure).errors?.[0];
    throw failure ? syntaxError(file, `${failure.text}; if a bundler left a decorator there, ${CURE}`, failure.location?.line ?? 1, (failure.location?.column ?? 0) + 1) : error;
  }
}

/** The first syntax error of a file, with its place, or undefined. For JavaScript, where Node's own error does not tell. */
export function syntaxErrorIn(file: string, source: string): SyntaxError | undefined {
  const failure = loadOxc().transformSync(file, source, { sourceType: 'module' }).errors.find(isFatal);
  return failure && oxcError(file, source, failure);
}

function lowerLegacy(file: string, source: string, settings: CompilerSettings, { metadata, names }: { metadata: boolean; names: Names }): { code: string; parameters: boolean } {
  const define = settings.useDefineForClassFields;
  const { code, map, errors, helpersUsed } = loadOxc().transformSync(file, source, {
    sourceType: 'module',
    // es2021 makes oxc lower class fields, which it must to give them the older meaning of an assignment.
    target: define ? 'es2022' : 'es2021',
    sourcemap: true,
    decorator: { legacy: true, emitDecoratorMetadata: metadata, strictNullChecks: settings.strictNullChecks },
    typescript: { onlyRemoveTypeImports: settings.verbatimModuleSyntax, removeClassFieldsWithoutInitializer: !define },
    assumptions: { setPublicClassFields: !define },
    jsx: settings.jsx,
    define: names,
  });
  const failure = errors.find(isFatal);
  if (failure) throw oxcError(file, source, settings === JAVASCRIPT ? { ...failure, message: `${failure.message} If a bundler left a decorator there, ${CURE}` } : failure);
  const inline = Buffer.from(JSON.stringify({ ...map, sources: [file], sourcesContent: undefined })).toString('base64');
  return { code: `${code}\n//# sourceMappingURL=data:application/json;base64,${inline}`, parameters: Object.hasOwn(helpersUsed, 'decorateParam') };
}

function lowerStandard(file: string, source: string, settings: CompilerSettings, { foreign, names }: { foreign: string; names: Names }): string {
  const hint = ` (${file} has ${foreign ? `@${foreign}` : 'some'}; or say "experimentalDecorators": true in its tsconfig.json, if that is what its decorators are)`;
  return loadEsbuild(hint).transformSync(source, {
    loader: file.endsWith('x') ? 'tsx' : 'ts',
    sourcefile: file,
    sourcemap: 'inline',
    sourcesContent: false,
    // What Node itself may know stays as it is: for an older target import attributes would be dropped without a word.
    target: 'esnext',
    supported: { decorators: false, using: false },
    define: names,
    logLevel: 'silent',
    tsconfigRaw: {
      compilerOptions: {
        useDefineForClassFields: settings.useDefineForClassFields,
        verbatimModuleSyntax: settings.verbatimModuleSyntax,
        jsx: settings.jsx.runtime === 'classic' ? 'react' : 'react-jsx',
        ...(settings.jsx.importSource ? { jsxImportSource: settings.jsx.importSource } : {}),
      },
    },
  }).code;
}

/**
 * esbuild's synchronous calls start a worker thread and a service process that outlive them, unless this variable is 0 while
 * the module is evaluated: then each call runs the program once and leaves nothing behind (and is faster for one or two files).
 */
function loadEsbuild(hint: string): Esbuild {
  const before = process.env['ESBUILD_WORKER_THREADS'];
  process.env['ESBUILD_WORKER_THREADS'] = '0';
  try {
    return require('esbuild') as Esbuild;
  } catch (error) {
    return missingFor('compiling standard decorators', hint)(error);
  } finally {
    if (before === undefined) delete process.env['ESBUILD_WORKER_THREADS'];
    else process.env['ESBUILD_WORKER_THREADS'] = before;
  }
}

const isFatal = ({ severity }: OxcDiagnostic) => severity === 'Error';

function oxcError(file: string, source: string, { message, labels }: OxcDiagnostic): SyntaxError {
  const before = source.slice(0, labels[0]?.start ?? 0).split('\n');
  return syntaxError(file, message, before.length, (before.at(-1)?.length ?? 0) + 1);
}

function syntaxError(file: string, message: string, line: number, column: number): SyntaxError {
  const error = new SyntaxError(`${message} (${file}:${line}:${column})`);
  // The compiler's own frames say nothing about the user's file.
  error.stack = `${file}:${line}:${column}\nSyntaxError: ${message}`;
  return error;
}
