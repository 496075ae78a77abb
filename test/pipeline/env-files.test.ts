// Files of variables: what they mean, what is said of what they do not mean, and how both come through a pipeline file.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseEnvFile } from '../../src/pipeline/env-text.js';
import { makeProject, plain } from './helpers.js';

function read(text: string, options: { variables?: Record<string, string>; first?: boolean } = {}) {
  const told: string[] = [];
  return { found: parseEnvFile(text, { ...options, onProblem: (line, message) => told.push(`${line}: ${message}`) }), told };
}

describe('a file of variables', () => {
  it.each<[what: string, text: string, expected: Record<string, string>]>([
    ['names, values, comments', '# c\nA=1\n  B = two # c\n\nC=a#b\nD=a b\n', { A: '1', B: 'two', C: 'a#b', D: 'a b' }],
    ['export', 'export A=1\nexport   B="2"\nexport=3', { A: '1', B: '2', export: '3' }],
    ['empty values', 'A=\nB= \nC= # c\nD=\t# c\nE="" # c\nF=#x\nG=', { A: '', B: '', C: '', D: '', E: '', F: '#x', G: '' }],
    ['quotes', `A="a # b"\nB='a # b' # c\nC="it's"\nD='say "x"'\nE=\`a "b" 'c'\`\nF=it's\nG=a"b"`, { A: 'a # b', B: 'a # b', C: "it's", D: 'say "x"', E: `a "b" 'c'`, F: "it's", G: 'a"b"' }],
    ['quotes over lines', 'A="one\ntwo # no comment\n\n three"\nB=\'x\ny=1\'\nC=3', { A: 'one\ntwo # no comment\n\n three', B: 'x\ny=1', C: '3' }],
    ['escapes in double quotes', String.raw`A="a\nb\tc\\n\"q\"\$A"` + '\nB="a\\\nb"', { A: 'a\nb\tc\\n"q"$A', B: 'ab' }],
    ['no escapes in single quotes and without', String.raw`A='a\nb'` + '\n' + String.raw`B=C:\new`, { A: String.raw`a\nb`, B: String.raw`C:\new` }],
    ['CRLF and CR, also within quotes, and a mark in front', '\uFEFFA=1\r\nB="x\r\ny"\r\n\r\nC=2\rD=3', { A: '1', B: 'x\ny', C: '2', D: '3' }],
    ['dots and dashes in names', 'app.name=x\napp.port-2=80\n_a.b=1', { 'app.name': 'x', 'app.port-2': '80', '_a.b': '1' }],
    ['references', 'A=x\nB=${A}-$A\nC="${A}"\nD=\'${A}\'\na.b=1\nE=${a.b}\nF=$$A \\$A\nG=5$\nH=^a$|b', { A: 'x', B: 'x-x', C: 'x', D: '${A}', 'a.b': '1', E: '1', F: '$A $A', G: '5$', H: '^a$|b' }],
    ['references with defaults', 'A=${B:-one}\nC=${D:-${A:-two}}\nE=${A:+set}\nF="${X-a\nb}"', { A: 'one', C: 'one', E: 'set', F: 'a\nb' }],
    ['the last of two', 'A=1\nA=2\nB=$A', { A: '2', B: '2' }],
    ['names of objects', '__proto__=1\nconstructor=2', JSON.parse('{"__proto__":"1","constructor":"2"}') as Record<string, string>],
  ])('%s', (_what, text, expected) => {
    expect(read(text)).toEqual({ found: expected, told: [] });
  });

  it('references mean what the file says, else what is given; or the other way round', () => {
    const text = 'A=file\nB=${A} ${C}';
    expect(read(text, { variables: { A: 'given', C: 'c' } }).found['B']).toBe('file c');
    expect(read(text, { variables: { A: 'given', C: 'c' }, first: true }).found['B']).toBe('given c');
  });

  it.each<[text: string, told: string]>([
    ['A=1\nbad line\n', "2: 'bad line' is not the name of a variable; lines are NAME=value"],
    ['A: 1', "1: 'A: 1' is not the name of a variable; lines are NAME=value"],
    ['1A=x', "1: '1A' is not the name of a variable; lines are NAME=value"],
    ['=x', "1: '' is not the name of a variable; lines are NAME=value"],
    ['A\n', '1: A has no value; write A= for an empty one'],
    ['export A', '1: A has no value; write A= for an empty one'],
    ['A=1\nB="x\ny\n', '2: the " that the value of B begins with is not closed'],
    ["A='it's'", `1: "s'" stands behind the closing ' of A; put the whole value in quotes`],
    ['A="x\ny" z', '2: "z" stands behind the closing " of A; put the whole value in quotes'],
    ['A="x\n\\d"', '2: \\d is no escape; write \\\\ for a backslash, or single quotes around the value'],
    ['A=${B}', "1: variable B is not set; ${B:-default} gives a default, '…' around the value keeps the text itself"],
    ['A=pass$word', "1: variable word is not set; ${word:-default} gives a default, '…' around the value keeps the text itself"],
    ['A=${B:?say which}', '1: ${B}: say which'],
    ['A=${B', "1: '${' begins a reference that does not make sense; write $${ for the text itself"],
    ['A=$(date)', '1: $( ) is not run; single quotes around the value keep the text itself'],
    ['A="${X:-${Y}}"', "1: variable Y is not set; ${Y:-default} gives a default, '…' around the value keeps the text itself"],
  ])('%j is told', (text, told) => {
    expect(read(text).told).toEqual([told]);
  });
});

describe('through a pipeline file', () => {
  it('the problems of all files are told at once, each with its file and line', () => {
    const project = makeProject();
    project.write({ sources: [plain('a', { env_file: 'a.env', env: { X: '${MISSING}' } }), plain('b', { env_file: ['a.env', 'gone.env'] })] });
    writeFileSync(join(project.folder, '.env'), 'GOOD=1\nno sense\n');
    writeFileSync(join(project.folder, 'a.env'), '\nA=${GOOD}\nB="open\n');
    const { status, stderr } = project.mimas('validate', 'pipeline.yaml');
    expect(status).toBe(2);
    expect(stderr.trimEnd().split('\n')).toEqual([
      ".env:2:1: 'no sense' is not the name of a variable; lines are NAME=value",
      'a.env:3:1: the " that the value of B begins with is not closed',
      expect.stringMatching(/^pipeline\.yaml:1:\d+: variable MISSING is not set/),
      expect.stringMatching(/^pipeline\.yaml:1:\d+: b: ENOENT/),
    ]);
    expect(project.mimas('run', 'pipeline.yaml')).toMatchObject({ status: 2, stderr });
  });

  it('--env-file is named as it was given; the program’s own variables win, also in references', () => {
    const project = makeProject();
    mkdirSync(join(project.folder, 'env'));
    writeFileSync(join(project.folder, 'env/bad.env'), 'x y\n');
    writeFileSync(join(project.folder, 'env/good.env'), 'A=file\nB=${A}\n');
    project.write({ sources: [plain('a')] }, {}, '${B}');
    expect(project.mimas('validate', 'pipeline.yaml', '--env-file', 'env/bad.env', 'env/good.env').stderr).toBe("env/bad.env:1:1: 'x y' is not the name of a variable; lines are NAME=value\n");
    expect(project.mimasWith({ ...project.env, A: 'own' }, 'validate', 'pipeline.yaml', '--env-file', 'env/good.env').stdout).toBe('pipeline.yaml: own is valid; start order: a\n');
  });

  it('what the orchestrator refuses is told with the rest', () => {
    const project = makeProject();
    project.write({ sources: [{ id: 'boxed', image: 'x' }, plain('a', { comand: 'x' })] });
    const { stderr } = project.mimas('validate', 'pipeline.yaml', '--orchestrator', 'process');
    expect(stderr).toContain("unknown field 'comand'");
    expect(stderr).toContain('boxed has only an image');
  });
});
