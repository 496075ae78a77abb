// Pipeline files that are trusted and broken: `mimas validate` says so, soon, without a stack, and nothing in them reaches the
// terminal as it is.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseEnvFile } from '../../src/pipeline/env-text.js';
import { parsePipeline } from '../../src/pipeline/parse.js';
import { MOST_PROBLEMS } from '../../src/pipeline/problems.js';
import { runCommand } from '../helpers/command.js';
import { root } from '../helpers/compile.js';
import { costOf, HOSTILE_YAML } from '../helpers/hostile-yaml.js';
import { makeProject } from './helpers.js';

/** Processor time in ms: 2 s on a machine that is quiet, and room for one that is not. */
const BOUND = 5000;
const HEAD = 'apiVersion: mimas/v1\nkind: Pipeline\nmetadata: {name: x}\nspec:\n  sources:\n';
const many = (count: number, component: (n: number) => string): string => HEAD + Array.from({ length: count }, (_, n) => `  - {${component(n)}}\n`).join('');
const one = (more: string): string => `${HEAD}  - {id: a, command: x, ${more}}\n`;

/** Each with what is said of it first. */
const FILES: readonly (readonly [name: string, text: string, expected: RegExp])[] = [
  ['components', many(6000, (n) => `id: c${n}, command: x`), /is valid; start order: c0, c1/],
  ['more components than are read', many(36_000, (n) => `id: c${n}, command: x`), /there is more in this file than is read/],
  ['more than a megabyte of components', many(60_000, (n) => `id: c${n}, command: x`), /larger than 1 MB/],
  ['components that the driver refuses', `${many(2000, (n) => `id: c${n}, image: x, resources: {cpu: 1, memory: 64MB}`)}  driver: process\n`, /c0 has only an image/],
  ['a stage that waits for a stage', `${many(4000, (n) => `id: c${n}, command: x`)}  sinks:\n${Array.from({ length: 4000 }, (_, n) => `  - {id: d${n}, command: x}\n`).join('')}`, /is valid/],
  ['a chain of components', many(6000, (n) => `id: c${n}, command: x${n > 0 ? `, depends_on: [c${n - 1}]` : ''}`), /is valid; start order: c0 → c1/],
  ['a long cycle', many(6000, (n) => `id: c${n}, command: x, depends_on: [c${(n + 1) % 6000}]`), /components wait for each other: c0 → c1/],
  ['misspelt names', many(6000, (n) => `id: component-${n}, command: x, depends_on: [komponent-${n}]`), /depends on unknown component komponent-0; did you mean/],
  ['long names that are unknown', many(100, (n) => `id: c${n}, command: x, inputs: [${'y'.repeat(4000)}]`), /references unknown input y+/],
  ['the same name', many(9000, () => 'id: c, command: x'), /duplicate component id: c/],
  ['unknown fields', many(6000, (n) => `id: c${n}, comand: x`), /unknown field 'comand'; did you mean 'command'/],
  ['replicas', many(3000, (n) => `id: c${n}, command: x, replicas: 1000, ports: [${1 + (n % 65_535)}]`), /belongs to c0/],
  ['replicas that are called the same', many(6000, (n) => `id: c-${n}, command: x, replicas: 1000`), /is valid/],
  ['variables of a component', `${HEAD}  - id: a\n    command: x\n    env:\n${Array.from({ length: 20_000 }, (_, n) => `      V${n}: 1\n`).join('')}`, /is valid/],
  ['variables of all components', `${many(2000, (n) => `id: c${n}, command: x`)}  env:\n${Array.from({ length: 10_000 }, (_, n) => `    V${n}: 1\n`).join('')}`, /more variables than can be had/],
  ['references that never end', one(`name: "${'${A:-'.repeat(190_000)}"`), /references are nested deeper than 20 levels/],
  ['references in references', one(`name: "${'${A:-'.repeat(100_000)}${'}'.repeat(100_000)}"`), /references are nested deeper than 20 levels/],
  ['references that do not end', one(`name: "${'${A:-${B:-x}'.repeat(70_000)}"`), /references are nested deeper than 20 levels/],
  ['references that make no sense', one(`name: "${'${ '.repeat(200_000)}"`), /'\$\{' begins a reference that does not make sense/],
  ['variables that are not set', one(`name: "${'${NOT_SET}'.repeat(90_000)}"`), /variable NOT_SET is not set/],
  ['variables without end', one(`name: "${'${PATH_OF_ALL}'.repeat(60_000)}"`), /variables make this longer than is read/],
  ['a time with many blanks', one(`stop: {grace_period: "1${' '.repeat(900_000)}x"}`), /is not a duration/],
  ['a size with many blanks', one(`resources: {memory: "1${' '.repeat(900_000)}x"}`), /is not a size/],
  ['a long path', one(`working_dir: "${'a/../'.repeat(190_000)}"`), /longer than 4096 characters/],
  ['long paths', many(200, (n) => `id: c${n}, binary: "${'a/'.repeat(1000)}${'../a/../'.repeat(250)}"`), /is valid/],
  ['patterns', many(4000, (n) => `id: c${n}, command: x, health_check: {log: "(a{1,30}b){${n % 30}}${n}"}`), /patterns of all components are more than can be compiled/],
  ['a pattern that is too long', one(`health_check: {log: "${'(a|'.repeat(200_000)}"}`), /health_check\.log|at most 1000 characters/],
  ['a pattern that has to look ahead', one('health_check: {log: "^(?!error)ready"}'), /pipeline\.yaml:6:\d+: a: health_check\.log: \(\?!: lookahead cannot be matched in bounded time/],
  ['files of variables', many(3000, (n) => `id: c${n}, command: x, env_file: [large.env, ./large.env]`), /more variables than can be had/],
  ['files of variables that are not there', many(6000, (n) => `id: c${n}, command: x, env_file: gone-${n}.env`), /ENOENT/],
  ['a number that is none', one('resources: {cpu: .nan}'), /NaN is not at least 0.001/],
  ['a shared bomb in a field', `x-0: &b0 [1, 1, 1]\n${Array.from({ length: 12 }, (_, n) => `x-${n + 1}: &b${n + 1} [${Array(10).fill(`*b${n}`).join()}]\n`).join('')}${one('args: *b12')}`, /more in this file than is read/],
];

function validate(text: string | Buffer, files: Record<string, string> = {}) {
  const project = makeProject();
  writeFileSync(project.file, text);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(project.folder, name), content);
  const cpu = join(project.folder, 'cpu');
  const env = { ...project.env, CPU_FILE: cpu, NODE_OPTIONS: `--import=${join(root, 'test/fixtures/cpu-at-exit.mjs')}`, PATH_OF_ALL: '/a/path'.repeat(100) };
  const result = runCommand(['validate', 'pipeline.yaml'], { cwd: project.folder, env });
  return { ...result, cost: Number(readFileSync(cpu, 'utf8')) };
}

const LARGE_ENV = Array.from({ length: 30_000 }, (_, n) => `V${n}=1`).join('\n');

describe('mimas validate', () => {
  it.each(FILES)('%s', { timeout: 60_000 }, (_, text, expected) => {
    const { status, stdout, stderr, cost } = validate(text, { 'large.env': LARGE_ENV });
    expect(`${stdout}${stderr}`).toMatch(expected);
    expect(stderr).not.toMatch(/\n\s+at .*:\d+|call stack|Node\.js v|\(internal/i);
    expect([0, 2]).toContain(status);
    expect(stderr.split('\n').length).toBeLessThanOrEqual(MOST_PROBLEMS + 2);
    expect(cost).toBeLessThan(BOUND);
  });

  it.each([0, 1, 2, 3])('YAML that is hostile to any reader, part %i', { timeout: 60_000 }, (part) => {
    const project = makeProject();
    const files = HOSTILE_YAML.filter((_, n) => n % 4 === part).map(([name, text]) => {
      writeFileSync(join(project.folder, `${name}.yaml`), text);
      return `${name}.yaml`;
    });
    const { status, stdout, stderr } = project.mimas('validate', '--json', ...files);
    expect(stderr).toBe('');
    expect(status).toBe(2);
    const answers = stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as { file: string; valid: boolean; problems: object[] });
    expect(answers.map(({ file }) => file)).toEqual(files);
    for (const { file, valid, problems } of answers) expect([file, valid, problems.length > 0 && problems.length <= MOST_PROBLEMS]).toEqual([file, false, true]);
  });

  it('tells the first problems, and how many more there are', () => {
    const project = makeProject();
    writeFileSync(project.file, many(1000, (n) => `id: c${n}`));
    const text = project.mimas('validate', 'pipeline.yaml').stderr.trimEnd().split('\n');
    expect(text.length).toBe(MOST_PROBLEMS + 1);
    expect(text.at(-1)).toBe(`pipeline.yaml: and ${1000 - MOST_PROBLEMS} more problems`);
    expect(JSON.parse(project.mimas('validate', 'pipeline.yaml', '--json').stdout)).toMatchObject({ valid: false, more: 1000 - MOST_PROBLEMS });
    expect(project.mimas('run', 'pipeline.yaml').stderr.trimEnd().split('\n')).toEqual(text);
  });

  it('a device without end is no file', () => {
    const project = makeProject();
    expect(project.mimas('validate', '/dev/zero')).toMatchObject({ status: 2, stderr: '/dev/zero:1:1: /dev/zero is larger than 1 MB, the most that is read\n' });
    expect(project.mimas('validate', '.')).toMatchObject({ status: 2, stderr: expect.stringMatching(/^\.:1:1: EISDIR/) });
  });

  it.each(['validate', 'run'])('%s: nothing of a file, or of its name, reaches the terminal as it is', (command) => {
    const evil = '\u001B]0;owned\u0007\u009B2J\u202E';
    const project = makeProject();
    const quoted = JSON.stringify(`${evil}\nall is well`);
    writeFileSync(project.file, `apiVersion: ${quoted}\nkind: ${quoted}\nmetadata: {name: ${quoted}}\n${quoted}: 1\nspec: {sources: [{id: ${quoted}, command: x, inputs: [${quoted}], depends_on: {${quoted}: ${quoted}}, stop: {grace_period: ${quoted}}}]}\n`);
    writeFileSync(join(project.folder, 'good.yaml'), `apiVersion: mimas/v1\nkind: Pipeline\nmetadata: {name: x}\nspec: {sources: [{id: a, command: x, inputs: [${quoted}], env_file: ${quoted}, health_check: {log: ${JSON.stringify(`${evil}(`)}}}]}\n`);
    for (const file of ['pipeline.yaml', 'good.yaml', `${evil}.yaml`]) {
      const { status, stdout, stderr } = project.mimas(command, file);
      expect(status).toBe(2);
      expect(stderr).toContain('\\u001b]0;owned');
      // oxlint-disable-next-line no-control-regex
      expect(`${stdout}${stderr}`).not.toMatch(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u202E]/);
      expect(stderr).not.toMatch(/^all is well/m);
    }
  });
});

describe('files of variables', () => {
  it.each([
    ['blanks before a comment', `A=x${' '.repeat(500_000)}y`],
    ['blanks around a line end', `A=${' '.repeat(500_000)}x\rx`],
    ['quotes', `A="${'\\"'.repeat(250_000)}`],
    ['names', 'export '.repeat(70_000)],
    ['hashes', `A=${'#'.repeat(500_000)}`],
    ['lines', 'A=1\n'.repeat(125_000)],
    ['lines without a sign of equality', 'A\n'.repeat(250_000)],
    ['quotes over lines', `A="${'x\n'.repeat(250_000)}"`],
    ['quotes that do not end', 'A="\n'.repeat(125_000)],
    ['escapes that are none', `A="${'\\q'.repeat(250_000)}"`],
    ['references that double', `A0=${'x'.repeat(1000)}\n${Array.from({ length: 10_000 }, (_, n) => `A${n + 1}=\${A${n}}\${A${n}}`).join('\n')}`],
  ])('%s', (_, text) => {
    expect(costOf(() => parseEnvFile(text))).toBeLessThan(2000);
  });

  it('names of objects are variables like others, and none that is there by itself', () => {
    const { problems } = parsePipeline(one('name: "${constructor}"'), 'p.yaml', { env: {}, envFiles: [] });
    expect(problems.map(({ message }) => message)).toEqual([expect.stringContaining('variable constructor is not set')]);
    expect(Object.entries(parseEnvFile('__proto__=1\nconstructor=2'))).toEqual([['__proto__', '1'], ['constructor', '2']]);
  });
});

// ── any document ──

const WORDS = ['a', 'b', 'c', '<<', '*x', '&x a', '*y', '&y {a: b}', '${A}', '${B:-c}', '${', '$$', '80', '-1', '1e999', '.nan', 'null', '~', 'true', '"', "'", '!!set', '!!binary', '!<x>', '|', '>', '? ', '- ', ': ', '{', '}', '[', ']', ',', '#', '%YAML 1.1', '---', '...', '\t', '\n', '\n  ', '\n    ', '\u0000', '\uD800', '__proto__', '30s', '512MB', '/b', 'a:/b', 'a b', '😀', '\u2028'];
const KEYS = ['apiVersion', 'kind', 'metadata', 'name', 'spec', 'sources', 'processors', 'sinks', 'pipelines', 'id', 'command', 'image', 'process', 'inputs', 'depends_on', 'env', 'env_file', 'config', 'ports', 'health_port', 'health_check', 'log', 'http', 'tcp', 'exec', 'interval', 'replicas', 'restart_policy', 'stop', 'resources', 'volumes', 'watch', 'container', 'labels', 'x-any', '__proto__', 'constructor'];
const VALID = `apiVersion: mimas/v1
kind: Pipeline
metadata: {name: demo, labels: {team: a}}
x-common: &common {restart_policy: no, env: {A: "\${HOME_OF:-x}"}}
spec:
  log: {max_size: 1MB, max_files: 2}
  env: {LEVEL: info}
  sources:
    - {<<: *common, id: s, command: [x, y], ports: [{containerPort: 80, env: PORT}], health_port: 8080, replicas: 2}
    - {id: t, image: i, command: x, health_check: {log: "ready (a+)+$", interval: 1s}, volumes: ["a:/b:ro"]}
  processors:
    - {id: p, command: x, inputs: [s], depends_on: {t: healthy}, health_check: {tcp: 90}, stop: {grace_period: 5s}}
  sinks:
    - {id: k, process: k.ts, inputs: [p], resources: {limits: {cpu: 500m, memory: 64MB}}, watch: [src], config: {aB: [1, {c: 2}]}}
`;

const soup = fc.array(fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...WORDS, ...KEYS.map((key) => `${key}: `)) }, fc.string({ unit: 'binary' })), { maxLength: 60 }).map((parts) => parts.join(''));
const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  any: fc.oneof({ depthSize: 'small' }, fc.constantFrom(...WORDS, null, true, 0, 80, Infinity, -1, 2.5), fc.string(), fc.array(tie('any'), { maxLength: 4 }), fc.dictionary(fc.constantFrom(...KEYS, ...WORDS), tie('any'), { maxKeys: 5 })),
})).any!;
/** A part of a file that was good, taken out, doubled, moved or put in the place of another. */
const mutated = fc.array(fc.record({ at: fc.nat(), length: fc.nat(40), to: fc.nat(), put: fc.oneof(fc.constantFrom(...WORDS), fc.constant('')) }), { minLength: 1, maxLength: 6 }).map((steps) => steps.reduce((text, { at, length, to, put }) => {
  const from = at % text.length;
  const part = text.slice(from, from + length);
  const without = text.slice(0, from) + put + text.slice(from + length);
  const target = to % (without.length + 1);
  return to % 3 === 0 ? without : without.slice(0, target) + part + without.slice(target);
}, VALID));
/** Of the tree of a good file, one value is another. */
const grafted = fc.tuple(value, fc.array(fc.nat(), { minLength: 1, maxLength: 6 })).map(([graft, way]) => {
  const tree = JSON.parse(JSON.stringify({ apiVersion: 'mimas/v1', kind: 'Pipeline', metadata: { name: 'd' }, spec: { sources: [{ id: 'a', command: 'x', ports: [80], env: { A: 1 }, health_check: { log: 'x' } }], sinks: [{ id: 'b', command: ['x'], inputs: ['a'], depends_on: { a: 'healthy' } }] } })) as Record<string, unknown>;
  let node: Record<string, unknown> = tree;
  for (const [depth, step] of way.entries()) {
    const keys = Object.keys(node);
    const key = keys[step % keys.length]!;
    if (depth === way.length - 1 || typeof node[key] !== 'object' || node[key] === null) {
      node[key] = graft;
      break;
    }
    node = node[key] as Record<string, unknown>;
  }
  return JSON.stringify(tree);
});
const anything = fc.oneof(soup, mutated, grafted, value.map((one) => JSON.stringify(one)), soup.map((text) => VALID + text));

describe('any text', () => {
  it('the good file is good', () => expect(parsePipeline(VALID, 'p.yaml', { env: {}, envFiles: [] }).problems).toEqual([]));

  it('is read or refused at a place of its own, never thrown at', { timeout: 120_000 }, () => {
    fc.assert(fc.property(anything, (text) => {
      let parsed: ReturnType<typeof parsePipeline> | undefined;
      expect(costOf(() => (parsed = parsePipeline(text, 'p.yaml', { env: { A: 'x', B: '' }, envFiles: [] })))).toBeLessThan(2000);
      const { pipeline, problems, more } = parsed!;
      expect(pipeline === undefined).toBe(problems.length + more > 0);
      for (const { line, column, message } of problems) {
        expect(line).toBeGreaterThan(0);
        expect(column).toBeGreaterThan(0);
        expect(line).toBeLessThanOrEqual(text.split(/\r\n|\r|\n/).length + 1);
        // What the engine says of a mistake of ours.
        expect(message).not.toMatch(/is not a function|of undefined|of null|not iterable|call stack|Cannot convert|Invalid string length|Cannot read/);
      }
    }), { numRuns: 1500 });
  });

  it('so says the command, of a hundred files at once', { timeout: 120_000 }, () => {
    const project = makeProject();
    const files = fc.sample(anything, 100).map((text, n) => {
      writeFileSync(join(project.folder, `${n}.yaml`), text);
      return `${n}.yaml`;
    });
    const { status, stdout, stderr } = project.mimas('validate', '--json', '--orchestrator', 'process', ...files);
    expect(stderr).toBe('');
    expect([0, 2]).toContain(status);
    expect(stdout.trimEnd().split('\n').map((line) => (JSON.parse(line) as { file: string }).file)).toEqual(files);
  });
});
