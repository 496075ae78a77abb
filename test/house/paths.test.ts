// Paths of files are made and taken apart by URL and node:path alone: what is done by hand works on one system only.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../helpers/compile.js';

const RULES: readonly [what: string, pattern: RegExp][] = [
  ['the path of a URL is fileURLToPath(url)', /\.pathname\b/],
  ['a URL of a path is pathToFileURL(path)', /['"`]file:\/\//],
  ['paths are joined by join() or resolve()', /\$\{\w*(?:dir|folder|path|root|cwd|parent)\w*\}\/|\+ ['"`]\/|\/['"`] \+/i],
  ['paths are taken apart by basename(), dirname(), relative()', /(?:lastIndexOf|split|endsWith)\(['"`]\/['"`]\)/],
  ['whether a path is absolute says isAbsolute()', /(?:path|file|folder|dir|cwd|command)\w*\??\.startsWith\(['"`]\/['"`]\)/i],
  ['the folder for temporary files is tmpdir()', /['"`]\/tmp\b|env(?:\.|\[['"])(?:TMPDIR|TEMP)\b/],
  ['the home of a user is homedir()', /env(?:\.|\[['"])HOME\b/],
];

/** What looks like one of them, and is none. */
const NO_PATHS: Readonly<Record<string, string>> = {
  'src/runtime/memory-guard.ts': "readlinkSync('/proc/thread-self')",
  'src/rpc/wire-error.ts': 'OWN_FRAMES',
  'src/pipeline/container-orchestrator.ts': 'owner.split',
  'src/manager/supervision.ts': 'path',
  'src/transport/address.ts': 'url.pathname',
  'src/launcher/manifest.ts': 'healthcheck.path',
};

const files = ['src', 'processes', 'examples'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')).map((name) => `${folder}/${name.replaceAll('\\', '/')}`));
const code = (file: string): string[] => readFileSync(join(root, file), 'utf8').split('\n').filter((line) => !/^\s*(?:\/\/|\*|\/\*)/.test(line));

it.each(RULES)('%s', (_, pattern) => {
  const found = files.flatMap((file) => code(file).filter((line) => pattern.test(line) && !(NO_PATHS[file] && line.includes(NO_PATHS[file]))).map((line) => `${file}: ${line.trim()}`));
  expect(found).toEqual([]);
});

it('the exceptions are needed', () => {
  expect(Object.entries(NO_PATHS).filter(([file, part]) => !code(file).some((line) => line.includes(part) && RULES.some(([, pattern]) => pattern.test(line))))).toEqual([]);
});
