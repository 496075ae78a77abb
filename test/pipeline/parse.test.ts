// Pipeline files: what is accepted, and what is said of what is not: file, line, column, suggestion.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { interpolate } from '../../src/pipeline/interpolate.js';
import { pipelineJsonSchema } from '../../src/pipeline/json-schema.js';
import { parsePipeline } from '../../src/pipeline/parse.js';
import { plan } from '../../src/pipeline/plan.js';
import { formatProblem } from '../../src/pipeline/problems.js';
import { root } from '../helpers/compile.js';
import { makeProject, plain } from './helpers.js';

const HEAD = 'apiVersion: flowctl/v1\nkind: Pipeline\nmetadata:\n  name: demo\n';
const parse = (text: string, env: Record<string, string> = {}) => parsePipeline(text, 'p.yaml', { env, envFiles: [] });
const problems = (text: string, env?: Record<string, string>) => parse(text, env).problems.map(formatProblem);
const withSpec = (spec: string, env?: Record<string, string>) => problems(`${HEAD}spec:\n${spec}`, env);

describe('problems', () => {
  it.each([
    ['kind: Pipeline\nmetadata: {name: x}\nspec: {sources: [{id: a, command: x}]}', 'p.yaml:1:1: apiVersion is required'],
    ['apiVersion: flowctl/v1\nkind: Pipelin\nmetadata: {name: x}\nspec: {sources: [{id: a, command: x}]}', "p.yaml:2:7: kind must be 'Pipeline', got: Pipelin; did you mean 'Pipeline'?"],
    ['apiVersion: flowctl/v1\nkind: Pipeline\nmetadata: {}\nspec: {sources: [{id: a, command: x}]}', 'p.yaml:3:11: metadata.name is required'],
    [`${HEAD}spec:\n  sources: []`, 'p.yaml:6:3: at least one source or pipeline component is required'],
    [`${HEAD}spec:\n  sources: [`, /^p\.yaml:6:\d+: .*/],
  ])('of the head: %#', (text, expected) => {
    expect(problems(text)[0]).toEqual(typeof expected === 'string' ? expected : expect.stringMatching(expected));
  });

  it.each([
    ['  sources:\n    - id: a\n      ‸comand: [x]', "spec.sources[0]: unknown field 'comand'; did you mean 'command'?"],
    ['  sources:\n    - ‸command: [x]', 'spec.sources[0].id is required'],
    ['  sources:\n    - {id: ‸a b, command: x}', "spec.sources[0].id: 'a b' is not letters, digits, - and _, at most 63"],
    ['  sources:\n    - {id: a, command: x, restart_policy: ‸allways}', "spec.sources[0].restart_policy: 'allways' is not one of no, always, on-failure, unless-stopped; did you mean 'always'?"],
    ['  sources:\n    - {id: a, command: x, ports: [‸"80"]}', 'spec.sources[0].ports[0]: a text where a port number or an object is expected'],
    ['  sources:\n    - {id: a, command: x, ports: [‸70000]}', 'spec.sources[0].ports[0]: 70000 is not between 1 and 65535'],
    ['  sources:\n    - {id: a, command: x, health_check: ‸{log: x, tcp: 1}}', 'spec.sources[0].health_check: only one of http, https, tcp, exec, log is expected, not tcp and log'],
    ['  sources:\n    - {id: a, command: x, health_check: {tcp: 1, interval: ‸soon}}', `spec.sources[0].health_check.interval: "soon" is not a duration; write milliseconds or a string such as '30s'`],
    ['  sources:\n    - ‸{id: a}', 'source a must have either command, image, binary or process specified'],
    ['  sources:\n    - {id: a, command: x}\n    - {id: ‸a, command: x}', 'duplicate component id: a'],
    ['  sources:\n    - {id: reader, command: x}\n  processors:\n    - {id: b, command: x, inputs: [‸raeder]}', "processor b references unknown input raeder; did you mean 'reader'?"],
    ['  sources:\n    - {id: a, command: x}\n  sinks:\n    - {id: b, command: x, depends_on: [‸c]}', 'sink b depends on unknown component c'],
    ['  sources:\n    - {id: a, command: x}\n  sinks:\n    - {id: b, command: x, depends_on: {a: ‸healthy}}', 'b waits for a to be healthy, but a has no health_check'],
    ['  sources:\n    - {id: a, command: x, ports: [80]}\n    - {id: b, command: x, ports: [‸80]}', 'b: port 80 belongs to a'],
    ['  pipelines:\n    - ‸{id: a, command: x}', 'pipeline a must have an image specified'],
    ['  sources:\n    - ‸{id: a, command: x, depends_on: [b]}\n    - {id: b, command: x, depends_on: [c]}\n    - {id: c, command: x, depends_on: [a]}', 'components wait for each other: a → b → c → a'],
    ['  sources:\n    - {id: a, command: x, health_check: ‸ftp://localhost/}', "spec.sources[0].health_check: 'ftp://localhost/' is not a URL that begins with http:// or https://, or a path that begins with /"],
    ['  sources:\n    - {id: a, command: x, health_check: ‸http://localhost:99999/}', 'a: health_check.http is not a URL that makes sense'],
    ['  sources:\n    - {id: a, command: x, resources: {cpu: ‸lots}}', "spec.sources[0].resources.cpu: 'lots' is not a number of cores, or of thousandths such as '500m'"],
    ['  sources:\n    - {id: a, image: x, volumes: [‸"a:/b:rx"]}', "spec.sources[0].volumes[0]: 'a:/b:rx' is not source:/target, source:/target:ro or source:/target:rw"],
    ['  sources:\n    - {id: a, process: x.js, stop: {signal: ‸SIGINT}}', 'a: a process file is asked to stop over its link; stop.signal is for programs'],
    ['  sources:\n    - {id: a, command: ‸"${NOPE}"}', 'variable NOPE is not set; ${NOPE:-default} gives a default, $${NOPE} is the text itself'],
  ])('of components, where ‸ stands: %#', (marked, expected) => {
    const before = `${HEAD}spec:\n${marked}`.split('‸')[0]!.split('\n');
    expect(withSpec(marked.replace('‸', ''))).toContain(`p.yaml:${before.length}:${before.at(-1)!.length + 1}: ${expected}`);
  });

  it('an alias means what its own place takes: a number here, the text there', () => {
    const { pipeline, problems: found } = parse(`${HEAD}x-port: &port 8080\nx-rate: &rate 1.10\nspec:\n  sources:\n    - {id: a, command: x, env: {PORT: *port, RATE: *rate}, health_port: *port, resources: {cpu: *rate}}`);
    expect(found).toEqual([]);
    expect(pipeline!.components[0]).toMatchObject({ env: { PORT: '8080', RATE: '1.10' }, healthPort: 8080, limits: { cpu: 1.1 } });
  });

  it('all are told at once, in order: of variables, of the shape, of what belongs together', () => {
    expect(withSpec('  env: {LEVEL: "${LEVEL}"}\n  sources:\n    - {id: a, comand: x}\n    - {id: b, command: x, replicas: many}\n    - {id: c, command: "${PROGRAM}", inputs: [z]}\n    - {id: d, command: x, health_check: {tcp: web}}\n    - {id: e}\n  sinks:\n    - {id: k, command: x, inputs: [a, b, nobody]}\n  procesors: []')).toEqual([
      'p.yaml:6:16: variable LEVEL is not set; ${LEVEL:-default} gives a default, $${LEVEL} is the text itself',
      "p.yaml:8:15: spec.sources[0]: unknown field 'comand'; did you mean 'command'?",
      'p.yaml:9:37: spec.sources[1].replicas: a text where a number is expected',
      'p.yaml:10:24: variable PROGRAM is not set; ${PROGRAM:-default} gives a default, $${PROGRAM} is the text itself',
      "p.yaml:11:47: spec.sources[3].health_check.tcp: 'web' is not host:port, such as localhost:5432 or [::1]:5432",
      'p.yaml:12:7: source e must have either command, image, binary or process specified',
      'p.yaml:14:42: sink k references unknown input nobody',
      "p.yaml:15:3: spec: unknown field 'procesors'; did you mean 'processors'?",
    ]);
  });

  it('what is said of a part is said of nothing that follows from it', () => {
    expect(problems(`apiVersion: flowctl/v1\nkind: "\${KIND}"\nmetadata: {name: "\${NAME}"}\nspec:\n  sources:\n    - {id: "\${ID}", command: x}\n    - {id: b, command: x, ports: ["\${PORT}"], health_check: {tcp: "\${PORT}"}}\n  sinks: [{id: k, command: x, inputs: [b, anybody]}]`).map((one) => one.replace(/ is not set.*/, ''))).toEqual(['p.yaml:2:7: variable KIND', 'p.yaml:3:18: variable NAME', 'p.yaml:6:12: variable ID', 'p.yaml:7:35: variable PORT', 'p.yaml:7:67: variable PORT']);
  });

  it('an empty file is named', () => expect(parse('').problems.map(formatProblem)).toContain('p.yaml:1:1: the file: nothing where a map is expected'));

  it('a file that is not there', () => {
    expect(makeProject().mimas('validate', 'nowhere.yaml')).toEqual({ status: 2, stdout: '', stderr: 'nowhere.yaml:1:1: pipeline file not found: nowhere.yaml\n' });
  });
});

describe('mimas validate', () => {
  it('tells the order of a valid file, and for a bad one every problem with exit code 2', () => {
    const project = makeProject();
    project.write({ sources: [plain('a'), plain('b')], processors: [plain('c', { inputs: ['a'] })], sinks: [plain('d')] });
    expect(project.mimas('validate', 'pipeline.yaml')).toEqual({ status: 0, stderr: '', stdout: 'pipeline.yaml: test is valid; start order: a, b → c → d\n' });
    writeFileSync(project.file, `${HEAD}spec:\n  sources:\n    - id: a\n      comand: x\n`);
    expect(project.mimas('validate', 'pipeline.yaml')).toEqual({ status: 2, stdout: '', stderr: "pipeline.yaml:8:7: spec.sources[0]: unknown field 'comand'; did you mean 'command'?\n" });
    const { file, valid, problems: found } = JSON.parse(project.mimas('validate', '--json', 'pipeline.yaml').stdout) as { file: string; valid: boolean; problems: object[] };
    expect({ file, valid, found }).toMatchObject({ file: 'pipeline.yaml', valid: false, found: [{ line: 8, column: 7, suggestion: 'command' }] });
  });
});

describe('variables', () => {
  it('are replaced, with defaults; $$ is a dollar', () => {
    const failed: string[] = [];
    const get = (text: string) => interpolate(text, { A: 'x', EMPTY: '' }, (message) => failed.push(message));
    expect([get('${A}-${A}'), get('${B:-d}'), get('${EMPTY:-d}'), get('${EMPTY-d}'), get('$${A}'), get('$A')]).toEqual(['x-x', 'd', 'd', '', '${A}', '$A']);
    expect(failed).toEqual([]);
    get('${B:?needed for the port}');
    expect(failed).toEqual(['${B}: needed for the port']);
  });

  it('a default, a reason and an alternative may hold references, which count only when they are needed', () => {
    const failed: string[] = [];
    const get = (text: string) => interpolate(text, { A: 'x', EMPTY: '', 'app.port': '80' }, (message) => failed.push(message));
    expect([get('${B:-${C:-${A}}}'), get('${B:-a${C:-b}c}d'), get('${EMPTY:-${A}}'), get('${A:-${MISSING}}'), get('${B-}'), get('${B:-$$}'), get('${A:+<${A}>}'), get('${B:+<${MISSING}>}'), get('${EMPTY+set}'), get('${app.port}')]).toEqual(['x', 'abcd', 'x', 'x', '', '$', '<x>', '', 'set', '80']);
    expect(failed).toEqual([]);
    get('${B:-${C}}');
    get('${B:?set ${A}}');
    get('${B:-${');
    expect(failed).toEqual(['variable C is not set; ${C:-default} gives a default, $${C} is the text itself', '${B}: set x', "'${' begins a reference that does not make sense; write $${ for the text itself", "'${' begins a reference that does not make sense; write $${ for the text itself"]);
  });

  it('keep the type that the text would have had', () => {
    const { pipeline } = parse(`${HEAD}spec:\n  sources:\n    - id: a\n      command: x\n      ports:\n        - \${PORT:-80}\n      env:\n        N: "\${PORT:-80}"`, { PORT: '8080' });
    expect(pipeline?.components[0]).toMatchObject({ ports: [{ port: 8080 }], env: { N: '8080' } });
  });

  it('keep the text they were written with, where a text is what is wanted', () => {
    const { pipeline } = parse(`${HEAD}spec:\n  sources:\n    - id: a\n      command: x\n      config: {protocolVersion: 2.0, deep: {n: 1}}\n      env:\n        A: 1.10\n        B: 007\n        C: true\n        D: 0x1F\n        E: \${V}\n        F: \${Z}\n        G: null\n`, { V: '3.140', Z: '0012' });
    expect(pipeline?.components[0]!.env).toEqual({ A: '1.10', B: '007', C: 'true', D: '0x1F', E: '3.140', F: '0012', G: '', PROTOCOL_VERSION: '2.0', DEEP: '{"n":1}' });
  });

  it('may be shared by anchors, merges and fields that begin with x-; what is merged in is checked as well', () => {
    const shared = (field: string) => `${HEAD}x-common: &common {env: {A: "1", B: "2"}, ${field}}\nspec:\n  sources:\n    - {<<: *common, id: a, command: x}\n    - {<<: [*common], id: b, command: y, env: {A: "3"}}\n`;
    const { pipeline, problems: none } = parse(shared('replicas: 0'));
    expect(none).toEqual([]);
    expect(pipeline!.components.map(({ id, env, replicas }) => [id, env, replicas])).toEqual([['a', { A: '1', B: '2' }, 0], ['b', { A: '3' }, 0]]);
    expect(problems(shared('replica: 0'))[0]).toBe("p.yaml:5:43: spec.sources[0]: unknown field 'replica'; did you mean 'replicas'?");
  });
});

describe('plan', () => {
  const order = (spec: string) => {
    const { pipeline, problems: found } = parse(`${HEAD}spec:\n${spec}`);
    expect(found).toEqual([]);
    const made = plan(pipeline!.components);
    return 'levels' in made ? made.levels : made;
  };

  it('sources, processors, sinks; each stage waits for the whole one before, unless it says for whom', () => {
    const source = '  sources:\n    - {id: s1, command: x}\n    - {id: s2, command: x}\n';
    expect(order(`${source}  processors:\n    - {id: p, command: x}\n  sinks:\n    - {id: k, command: x}`)).toEqual([['s1', 's2'], ['p'], ['k']]);
    expect(order(`${source}  processors:\n    - {id: p2, command: x, inputs: [p1]}\n    - {id: p1, command: x, inputs: [s1]}\n  sinks:\n    - {id: k, command: x, inputs: [s2]}`)).toEqual([['s1', 's2'], ['p1', 'k'], ['p2']]);
  });
});

it('docs/pipeline.schema.json is up to date (mimas validate --schema prints it)', () => {
  expect(JSON.parse(readFileSync(join(root, 'docs/pipeline.schema.json'), 'utf8'))).toEqual(pipelineJsonSchema());
});
