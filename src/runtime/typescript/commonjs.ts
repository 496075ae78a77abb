// TypeScript that means to be CommonJS: `.cts`, and `.ts` in a package without `"type": "module"`. It becomes an ES module as all TypeScript
// does here; what CommonJS would have around it (`require`, `__dirname`, `module.exports`, `export =`) is put there.
// Invariant: only names that the file itself does not declare get another meaning, and no line moves.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** For both compilers, which look whether a name is free. */
export const COMMONJS_NAMES: Readonly<Record<string, string>> = {
  __dirname: '__mimas_dirname',
  __filename: '__mimas_filename',
  require: '__mimas_require',
  module: '__mimas_module',
  exports: '__mimas_module.exports',
};
const MENTIONED = /\b(?:__dirname|__filename|require|module|exports)\b|^\s*export\s*=/m;
const DECLARATIONS: Readonly<Record<string, string>> = {
  __mimas_dirname: 'import.meta.dirname',
  __mimas_filename: 'import.meta.filename',
  __mimas_require: 'process.getBuiltinModule("node:module").createRequire(import.meta.url)',
  __mimas_module: '{ exports: {} }',
};
const IMPORT_REQUIRE = /^([ \t]*)import\s+([\w$]+)\s*=\s*require\(\s*(['"])(\.{1,2}\/[^'"]*)\3\s*\)/gm;
const EXPORT_ASSIGNMENT = /^\s*export\s*=/m;
/** How a module that this file makes tells others like it what `export =` named; Node's `require` knows the name, too. */
const WHOLE = "'module.exports'";
const TYPESCRIPT_ENDS = ['.ts', '.cts', '.mts', '.tsx', '/index.ts'];

const types = new Map<string, boolean>();

/** Whether Node, or tsc, would take a file for CommonJS. */
export function isCommonJs(file: string): boolean {
  return file.endsWith('.cts') || (!file.endsWith('.mts') && inCommonJsPackage(dirname(file)));
}

function inCommonJsPackage(folder: string): boolean {
  let found = types.get(folder);
  if (found === undefined) {
    const manifest = join(folder, 'package.json');
    const parent = dirname(folder);
    if (existsSync(manifest)) found = typeOf(manifest) !== 'module';
    else found = parent === folder || inCommonJsPackage(parent);
    types.set(folder, found);
  }
  return found;
}

function typeOf(manifest: string): unknown {
  try {
    return (JSON.parse(readFileSync(manifest, 'utf8')) as { type?: unknown } | null)?.type;
  } catch {
    return undefined;
  }
}

/** Whether there is anything to do for this source. */
export const speaksCommonJs = (file: string, source: string): boolean => MENTIONED.test(source) && isCommonJs(file);

/** Before the compiler: what is TypeScript itself is imported, because `require` would not find it on every Node. */
export function importsForRequires(file: string, source: string): string {
  return source.replace(IMPORT_REQUIRE, (written, indent: string, name: string, quote: string, specifier: string) =>
    isTypeScript(file, specifier) ? `${indent}import * as __mimas_${name} from ${quote}${specifier}${quote}; const ${name} = ${WHOLE} in __mimas_${name} ? (__mimas_${name} as any)[${WHOLE}] : __mimas_${name}` : written);
}

function isTypeScript(file: string, specifier: string): boolean {
  const path = resolve(dirname(file), specifier);
  const stem = path.replace(/\.[cm]?js$/, '');
  return /\.[cm]?tsx?$/.test(path) || TYPESCRIPT_ENDS.some((end) => existsSync(stem + end));
}

/** After it: what the names stand for, ahead of the first line. */
export function withCommonJs(compiled: string, source: string): string {
  const assigns = EXPORT_ASSIGNMENT.test(source);
  // One of the two compilers writes this itself, unseen by its replacement of names.
  const code = assigns ? compiled.replace(/^module\.exports = /m, '__mimas_module.exports = ') : compiled;
  const used = Object.keys(DECLARATIONS).filter((name) => code.includes(name));
  if (used.length === 0) return code;
  const head = `const ${used.map((name) => `${name} = ${DECLARATIONS[name]!}`).join(', ')}; `;
  const [, hashbang = ''] = /^(#!.*)/.exec(code) ?? [];
  const whole = `const __mimas_exports = __mimas_module.exports; export { __mimas_exports as default, __mimas_exports as ${WHOLE} };`;
  const tail = used.includes('__mimas_module') && !/^export default\b/m.test(code) && !/\bas default\b/.test(code) ? whole : '';
  const at = code.lastIndexOf('\n//# sourceMappingURL=');
  return head + code.slice(hashbang.length, at < 0 ? undefined : at) + (tail && `\n${tail}`) + (at < 0 ? '' : code.slice(at));
}

/** What to write in an ES module for what only CommonJS has. */
const MODULE_WAYS: Readonly<Record<string, string>> = {
  __dirname: '`import.meta.dirname`',
  __filename: '`import.meta.filename`',
  require: "`import`, or `createRequire(import.meta.url)` of 'node:module'",
  module: '`export default`',
  exports: '`export`',
};
export const moduleWay = (name: string): string | undefined =>
  Object.hasOwn(MODULE_WAYS, name) ? `in an ES module write ${MODULE_WAYS[name]!}; .cts files have ${name}, and .ts files of packages without "type": "module"` : undefined;

/** Marks JSON that CommonJS TypeScript imports without saying that it is JSON. */
export const JSON_MODULE = '?mimas-json';

/** A module with its value as the default export, and its keys as names. */
export function jsonModule(url: string): string {
  const text = readFileSync(fileURLToPath(url), 'utf8').replace(/^\ufeff/, '');
  const value: unknown = JSON.parse(text);
  const keys = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value).filter((key) => key !== 'default' && !/[\ud800-\udfff]/.test(key)) : [];
  const named = keys.map((key, at) => `const k${at} = json[${JSON.stringify(key)}]; export { k${at} as ${JSON.stringify(key)} };`);
  return [`const json = JSON.parse(${JSON.stringify(text)}); export default json;`, ...named].join('\n');
}
