// Runs examples/pipeline as a user would and checks its result against a count made here.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { root } from '../helpers/compile.js';
import { freePorts, makeProject } from './helpers.js';

function countWords(folder: string): [string, number][] {
  const counts = new Map<string, number>();
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.md')) continue;
    for (const word of readFileSync(join(folder, name), 'utf8').toLowerCase().split(/[^\p{L}]+/u)) if (word) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
}

export async function runExample(args: string[], env: Record<string, string> = {}): Promise<void> {
  const [source, processor, sink] = await freePorts(3);
  const project = makeProject();
  const results = join(project.folder, 'results');
  Object.assign(project.env, env, { WORDS_SOURCE_PORT: String(source), WORDS_PROCESSOR_PORT: String(processor), WORDS_SINK_PORT: String(sink), WORDS_RESULTS: results });
  const run = project.start('run', join(root, 'examples/pipeline/pipeline.yaml'), '--plain', '--control-plane-port', '0', ...args);
  await run.line('Pipeline started successfully');
  const served = (await (await fetch(`http://127.0.0.1:${sink}/results`)).json()) as { total: number; distinct: number; top: { word: string; count: number }[] };
  run.signal('SIGINT');
  expect(await run.exit()).toBe(0);
  expect(run.err()).toBe('');
  expect(run.lines).toHaveLength(13);
  const expected = countWords(join(root, 'docs'));
  expect(served).toEqual({ total: expected.reduce((sum, [, count]) => sum + count, 0), distinct: expected.length, top: expected.slice(0, 20).map(([word, count]) => ({ word, count })) });
  expect(served.total).toBeGreaterThan(500);
  expect(JSON.parse(readFileSync(join(results, 'ranking.json'), 'utf8'))).toEqual(served);
  expect(project.log('result-sink')).toContain(`wrote ${served.distinct} of ${served.total} words\nsink leaves\n`);
}
