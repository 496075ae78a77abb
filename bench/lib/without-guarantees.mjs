// What a call pays for guarantees that it does not use cannot be switched off, so it is cut out: a copy of dist/ in which no call has a
// deadline, headers or a context. Each cut must fit exactly once, or the comparison would quietly compare the same with the same.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

const CUTS = [
  // The caller: nothing is inherited, nothing is sent along, nothing is due, no signal is looked at.
  ['function timeLeft() {', 'function timeLeft() { return;'],
  ['function inheritHeaders(own) {', 'function inheritHeaders(own) { return;'],
  ['function encodeMeta(headers, left) {', 'function encodeMeta(headers, left) { return;'],
  ['const { signal } = options;\n\t\tconst timeout = options.timeout ?? method.info.timeout ?? this.options.timeout;', 'const signal = void 0, timeout = void 0;'],
  // The process: one context for all calls, which nobody can ask for.
  ['if (meta === void 0) return new CallContext(process, method, peer, void 0);', 'if (meta === void 0) return OUTSIDE;'],
  ['storage.run(context, body, argument)', 'body(argument)'],
];

/** The URL of its entry, and what removes it again; the end of this process does, too. Below the project, so that its dependencies are found. */
export function withoutGuarantees() {
  const folder = mkdtempSync(join(root, 'bench/.without-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  cpSync(join(root, 'dist'), folder, { recursive: true });
  const chunks = readdirSync(join(folder, 'chunks')).map((name) => join(folder, 'chunks', name));
  const texts = new Map(chunks.map((file) => [file, readFileSync(file, 'utf8')]));
  for (const [from, to] of CUTS) {
    const fitting = [...texts].filter(([, text]) => text.includes(from));
    if (fitting.length !== 1 || fitting[0][1].split(from).length !== 2) throw new Error(`without-guarantees.mjs: '${from}' has to be in dist/chunks once; follow what changed in src/rpc`);
    texts.set(fitting[0][0], fitting[0][1].replace(from, () => to));
  }
  for (const [file, text] of texts) writeFileSync(file, text);
  return { entry: pathToFileURL(join(folder, 'index.js')).href, remove };
}
