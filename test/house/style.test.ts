// House style that a machine can check.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../helpers/compile.js';

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' }).trim().split('\n');
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const code = tracked.filter((file) => /^(src|processes|examples|scripts|bench)\/.*\.(ts|mjs)$/.test(file));

describe('source files', () => {
  it.each(code)('%s opens with a comment that says its purpose', (file) => {
    const [first, second] = read(file).split('\n');
    expect(first?.startsWith('#!') ? second : first).toMatch(/^\/\/ \S/);
  });

  it.each(tracked.filter((file) => file.startsWith('src/') && file.endsWith('.ts')))('%s has no more than 400 lines', (file) => {
    expect(read(file).split('\n').length - 1).toBeLessThanOrEqual(400);
  });

  it('are named in kebab-case', () => {
    expect(code.map((file) => file.split('/').at(-1)!).filter((name) => !/^[a-z\d]+(-[a-z\d]+)*(\.process)?\.(ts|mjs)$/.test(name))).toEqual([]);
  });

  it('are ESM with named exports, and name Node modules by node:', () => {
    for (const file of code) {
      const text = read(file);
      if (file.startsWith('src/')) expect(text, file).not.toMatch(/^export default\b/m);
      expect(text, file).not.toMatch(/from '(?:fs|path|net|http|crypto|os|url|util|child_process|worker_threads|events|stream)'/);
    }
  });
});

describe('types', () => {
  const declarations = readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.d.ts'));

  it('have no `any` on their surface', () => {
    const found = declarations.flatMap((file) => read(`dist/${file}`).split('\n').filter((line) => /(?::|<|\||=>|\bas)\s*any\b(?!\s*[a-z])/.test(line.replace(/\/\/.*|^\s*\*.*/, ''))).map((line) => `${file}: ${line.trim()}`));
    expect(declarations.length).toBeGreaterThan(50);
    expect(found).toEqual([]);
  });
});

describe('the repository', () => {
  // Put together here, so that this file does not contain what it looks for.
  const OUT_OF_PLACE = [['/work', '/'].join(''), ['/home', '/'].join(''), ['registry', 'npmjs', 'org'].join('.'), ['/root', '/'].join(''), ['_auth', 'Token'].join('')];

  it.each(OUT_OF_PLACE)('does not mention %s', (text) => {
    const found = tracked.filter((file) => !/\.(png|ico|woff2)$/.test(file) && read(file).includes(text));
    expect(found).toEqual([]);
  });

  it('has a lockfile without addresses', () => {
    expect(read('package-lock.json')).not.toContain('"resolved"');
  });
});
