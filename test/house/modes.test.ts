// Every file and folder that the library makes is its user's alone: each place in src/ that makes one says so.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../helpers/compile.js';

const src = join(root, 'src');
/** Files of the kernel, which have the modes that it gives them. */
const EXEMPT = new Set(['runtime/cgroups.ts']);
const MAKES = /(?<![#.\w])(?:(?:mkdir|writeFile|appendFile|open|copyFile|cp)(?:Sync)?|createWriteStream)\(/;
/** What only looks like it: comments, reading, connecting a socket, and writing to a descriptor. */
const OTHERWISE = /^\s*(?:\/\/|\*|\/\*)|'r'\)|O_RDONLY|\bopen\(address\b|\('', \{ fd\b/;
const SAYS = /OWN_FOLDER|OWN_FILE/;

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts') && !name.startsWith('dashboard/ui') && !EXEMPT.has(name));
const makers = files.flatMap((file) => readFileSync(join(src, file), 'utf8').split('\n').flatMap((line, i) => (MAKES.test(line) && !OTHERWISE.test(line) ? [{ at: `${file}:${i + 1}`, line: line.trim() }] : [])));

it('what makes a file or a folder names its mode', () => {
  expect(makers.length).toBeGreaterThanOrEqual(12);
  expect(makers.filter(({ line }) => !SAYS.test(line)).map(({ at, line }) => `${at} ${line}`)).toEqual([]);
});
