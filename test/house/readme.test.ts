// The README's own code: blocks whose first line names a file are written to that file in an empty project; blocks marked
// `runnable` are run there, and must print the block marked `output` that follows.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root, temporaryProject } from '../helpers/compile.js';

const readme = readFileSync(join(root, 'README.md'), 'utf8');
interface Block { language: string; marks: string[]; text: string }
const blocks: Block[] = [...readme.matchAll(/^```(\w+)([^\n]*)\n([\s\S]*?)^```$/gm)].map(([, language, marks, text]) => ({ language: language!, marks: marks!.trim().split(/\s+/), text: text! }));
const project = temporaryProject('tsyringe', 'reflect-metadata');
const fileOf = ({ text }: Block): string | undefined => /^\/\/ ([\w./-]+\.ts)\b/.exec(text)?.[1];

for (const block of blocks) {
  const file = fileOf(block);
  if (block.language !== 'ts' || !file) continue;
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
    const targets = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => match[1]!);
    const files = new Set(readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => !name.startsWith('node_modules')));
    expect(targets.filter((target) => !files.has(target.replace(/\/$/, '')))).toEqual([]);
  });

  it('names every option of createProcessManager, spawn and pool', async () => {
    const { SPAWN_OPTIONS } = await import('../../src/manager/options.js');
    const { POOL_OPTIONS } = await import('../../src/pool/options.js');
    expect([...SPAWN_OPTIONS, ...POOL_OPTIONS, 'testing'].filter((option) => !readme.includes(`\`${option}`))).toEqual([]);
  });
});
