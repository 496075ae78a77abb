// The examples of isolation and supervision, run as a user would run them (against dist/, which `npm test` builds first).
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

function run(example: string): string[] {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--import', 'mimas/register', `examples/${example}`], { cwd: root, encoding: 'utf8', timeout: 60_000 });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout.trimEnd().split('\n');
}

/** The lines from one heading to the next, in any order: what starts or stops at the same time has none. */
const section = (lines: readonly string[], heading: string) => {
  const from = lines.indexOf(`--- ${heading} ---`);
  expect(from, heading).toBeGreaterThanOrEqual(0);
  const to = lines.findIndex((line, i) => i > from && line.startsWith('---'));
  return lines.slice(from + 1, to < 0 ? undefined : to).sort();
};

it('examples/isolation.ts: one tenant crashes, the others do not notice; idle ones make room', { timeout: 60_000 }, () => {
  const lines = run('isolation.ts');
  expect(section(lines, 'twenty requests of three tenants at once')).toEqual(['+ ns:acme', '+ ns:globex', '+ ns:initech', 'running: ns:acme, ns:globex, ns:initech']);
  expect(section(lines, 'a request kills the process of acme')).toEqual(['! ns:acme crashed', 'acme is back with 0 notes, restarts: 1', "acme's request: PROCESS_CRASHED", 'globex still has 7 notes']);
  expect(section(lines, 'a fourth tenant needs room')).toEqual(['+ ns:hooli', '- ns:initech (lru)', 'running: ns:acme, ns:globex, ns:hooli']);
  expect(section(lines, 'the end')).toEqual(['- ns:acme (shutdown)', '- ns:globex (shutdown)', '- ns:hooli (shutdown)']);
});

it('examples/supervision-tree.ts prints what is restarted with whom, in order', { timeout: 60_000 }, () => {
  expect(run('supervision-tree.ts')).toEqual([
    '--- Shop is running ---',
    'database, asked 1 time | cache, asked 1 time | front, asked 1 time',
    '--- the cache crashes: the front is restarted with it, the database is not ---',
    '! cache died and is restarted',
    '- front',
    '+ cache',
    '+ front',
    'database, asked 2 times | cache, asked 1 time | front, asked 1 time',
    '--- a child that is not critical is given up alone when the budget is used up ---',
    '! front died and is restarted',
    '+ front',
    'x front failed',
    'front: RESTARTS_EXHAUSTED; Shop is running; database, asked 3 times',
    '--- the end, in reverse order ---',
    '- cache',
    '- database',
  ]);
});
