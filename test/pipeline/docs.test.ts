// The pipelines of the README and of docs/pipeline.md: written to files as a reader would, and run.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { parsePipeline } from '../../src/pipeline/parse.js';
import { formatProblem } from '../../src/pipeline/problems.js';
import { root, temporaryProject } from '../helpers/compile.js';
import { bin, freePorts, makeProject } from './helpers.js';

const page = (name: string) => readFileSync(join(root, name), 'utf8');
const blocksOf = (text: string) => [...text.matchAll(/^```(\w+)[^\n]*\n([\s\S]*?)^```$/gm)].map(([, language, content]) => ({ language: language!, content: content! }));

it("the README's pipeline is valid, runs in order, gives its result and answers to the commands that are shown", async () => {
  const [a, b] = (await freePorts(2)) as [number, number];
  const section = page('README.md').split('\n## Pipelines\n')[1]!.split('\n## ')[0]!.replaceAll('17001', String(a)).replaceAll('17002', String(b));
  const project = makeProject();
  const folder = temporaryProject();
  for (const { content } of blocksOf(section)) {
    const file = /^(?:#|\/\/) ([\w.]+)\n/.exec(content)?.[1];
    if (file) writeFileSync(join(folder, file), content);
  }
  const mimas = (...args: string[]) => spawnSync(process.execPath, [bin, ...args], { cwd: folder, encoding: 'utf8', timeout: 30_000, env: project.env });
  expect(mimas('validate', 'pipeline.yaml').stdout).toBe('pipeline.yaml: words is valid; start order: texts → counter → report\n');
  expect(mimas('run', 'pipeline.yaml', '-d', '--control-plane-port', '0')).toMatchObject({ status: 0 });
  try {
    expect(mimas('ps').stdout.split('\n').slice(2, 5).map((row) => row.split(/ +/).slice(0, 3))).toEqual([['texts', 'source', 'healthy'], ['counter', 'processor', 'healthy'], ['report', 'sink', 'healthy']]);
    expect(mimas('logs', 'report').stdout).toBe('report  | {"words":10,"the":3}\n');
    expect(mimas('restart', 'texts').status).toBe(0);
    expect(mimas('up').stdout).toBe('nothing has changed\n');
  } finally {
    expect(mimas('down').stdout).toBe('Stopping component: report\nStopping component: counter\nStopping component: texts\nPipeline stopped successfully\n');
  }
  expect(readFileSync(join(folder, 'logs/report.log'), 'utf8')).toBe('{"words":10,"the":3}\nreport closes\n');
});

it('the sample of docs/pipeline.md is valid, and every flag and command that the page names exists', () => {
  const text = page('docs/pipeline.md');
  const yaml = blocksOf(text).find(({ language }) => language === 'yaml')!.content;
  expect(parsePipeline(yaml, 'pipeline.yaml', { env: {}, envFiles: [] }).problems.map(formatProblem)).toEqual([]);
  const project = makeProject();
  mkdirSync(join(project.folder, 'x'));
  const help = ['run', 'validate', 'logs', 'down'].map((command) => project.mimas(command, '--help').stdout).join('\n');
  const flags = [...text.matchAll(/(?<![\w-])--[a-z][a-z-]+/g)].map((match) => match[0]);
  expect([...new Set(flags)].filter((flag) => !help.includes(flag))).toEqual([]);
  const commands = [...text.matchAll(/`?mimas ([a-z]+)/g)].map((match) => match[1]!);
  const known = project.mimas('--help').stdout;
  expect([...new Set(commands)].filter((command) => !new RegExp(`^  ${command}\\b|\\|${command}\\b`, 'm').test(known))).toEqual([]);
});
