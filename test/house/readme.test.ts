// The README's own code: blocks whose first line names a file are written to that file in an empty project; blocks marked
// `runnable` are run there, and must print the block marked `output` that follows.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root, temporaryProject, typescript } from '../helpers/compile.js';

const readme = readFileSync(join(root, 'README.md'), 'utf8');
/** Where pages and pictures of this repository are, for whoever reads outside of it. */
const { homepage } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { homepage: string };
const HOME = [homepage.replace('#readme', '/blob/main/'), homepage.replace('https://github.com', 'https://raw.githubusercontent.com').replace('#readme', '/main/')];
interface Block { language: string; marks: string[]; text: string }
const blocks: Block[] = [...readme.matchAll(/^```(\w+)([^\n]*)\n([\s\S]*?)^```$/gm)].map(([, language, marks, text]) => ({ language: language!, marks: marks!.trim().split(/\s+/), text: text! }));
const project = temporaryProject('tsyringe', 'reflect-metadata');
const fileOf = ({ text }: Block): string | undefined => /^\/\/ ([\w./-]+\.[jt]s)\b/.exec(text)?.[1];

for (const block of blocks) {
  const file = fileOf(block);
  if (!/^[jt]s$/.test(block.language) || !file) continue;
  mkdirSync(dirname(join(project, file)), { recursive: true });
  writeFileSync(join(project, file), block.text);
}
const runnable = blocks.flatMap((block, at) => (block.marks.includes('runnable') ? [[fileOf(block)!, blocks.slice(at + 1).find(({ marks }) => marks.includes('output'))!.text] as const] : []));

describe('README', () => {
  it('has blocks that run', () => {
    expect(runnable.length).toBeGreaterThanOrEqual(4);
  });

  it.each(runnable)('%s prints what the README shows', { timeout: 60_000 }, (file, output) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'mimas/register', file], { cwd: project, encoding: 'utf8', timeout: 30_000 });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: output, stderr: '' });
  });

  it('links only to what is there', () => {
    const targets = [...readme.matchAll(/\]\(([^)#\s]+)/g)].map((match) => match[1]!).map((target) => HOME.reduce((left, home) => left.replace(home, ''), target)).filter((target) => !target.startsWith('https:'));
    expect(targets.length).toBeGreaterThan(20);
    const files = new Set(readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => !name.startsWith('node_modules')));
    expect(targets.filter((target) => !files.has(target.replace(/\/$/, '')))).toEqual([]);
  });

  it('links and shows pictures by full addresses, which work on every page that shows it', () => {
    expect([...readme.matchAll(/\]\((?!https:|#)[^)]+\)/g)].map(([link]) => `${link} must begin with ${HOME[0]}`)).toEqual([]);
  });

  it('names a tsconfig with which its own programs compile', { timeout: 120_000 }, () => {
    const options = JSON.parse(blocks.find(({ marks }) => marks.includes('tsconfig'))!.text) as object;
    const files = runnable.map(([file]) => file).filter((file) => file.endsWith('.ts'));
    // Where a program looks for packages, which are this repository's here.
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...options, strict: true, noEmit: true, typeRoots: [join(root, 'node_modules/@types')] }, files }));
    expect(typescript(['-p', project])).toEqual({ status: 0, output: '' });
  });

  it('names every option of createProcessManager, spawn and pool', async () => {
    const { SPAWN_OPTIONS } = await import('../../src/manager/options.js');
    const { POOL_OPTIONS } = await import('../../src/pool/options.js');
    expect([...SPAWN_OPTIONS, ...POOL_OPTIONS, 'testing'].filter((option) => !readme.includes(`\`${option}`))).toEqual([]);
  });
});
