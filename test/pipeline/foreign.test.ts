// flowctl's own files are pipelines; files of other tools are named as what they are.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parsePipeline } from '../../src/pipeline/parse.js';
import { formatProblem } from '../../src/pipeline/problems.js';
import { makeProject } from './helpers.js';

const parse = (text: string, file = 'p.yaml') => parsePipeline(text, file, { env: {}, envFiles: [] });
const problems = (text: string, file?: string) => parse(text, file).problems.map(formatProblem);
const INSTEAD = 'a pipeline lists what runs under spec.sources, spec.processors and spec.sinks (docs/pipeline.md)';

describe('files of flowctl', () => {
  it('may have a description, types, texts as arguments, and its names of drivers', () => {
    const { pipeline, problems: found } = parse('apiVersion: v1\nkind: Pipeline\nmetadata: {name: x, description: "says what it is"}\nspec:\n  driver: local\n  sources:\n    - id: s\n      type: source\n      command: ["sh", "-c"]\n      args: |\n        echo hello\n      outputEventTypes: [a]\n      output_event_types: [b]\n');
    expect(found).toEqual([]);
    expect(pipeline).toMatchObject({ driver: 'process', components: [{ id: 's', type: 'source', args: ['echo hello\n'], outputEventTypes: ['b', 'a'] }] });
  });

  it('a type that is a package is told with what to write instead, unless something else says what runs', () => {
    const withPackage = (more: string) => problems(`apiVersion: flowctl/v1\nkind: Pipeline\nmetadata: {name: x}\nspec:\n  sources:\n    - {id: s, type: stellar-source@v1.0.0${more}}\n`);
    expect(withPackage('')).toEqual(["p.yaml:6:21: source s: type stellar-source@v1.0.0 is a package of flowctl's registry, which is not fetched; write what runs instead, such as command: [./stellar-source], or image: <registry>/stellar-source:v1.0.0"]);
    expect(withPackage(', image: x')).toEqual([]);
  });

  it('a type that is none says nothing of what runs', () => {
    expect(problems('apiVersion: flowctl/v1\nkind: Pipeline\nmetadata: {name: x}\nspec: {sources: [{id: s, type: source}]}')).toEqual(['p.yaml:4:18: source s must have either command, image, binary or process specified']);
  });
});

describe('files of other tools', () => {
  const FILES: [name: string, text: string, is: string][] = [
    ['docker-compose.yml', 'services:\n  web:\n    image: nginx\n    environment: {A: "${NOT_SET}"}\n', 'this is a file of Docker Compose, not a pipeline: docker compose up runs it; here each service becomes a component {id, image, command, ports, depends_on, …}'],
    ['compose.yaml', 'name: shop\nservices: {web: {image: nginx}}\n', 'this is a file of Docker Compose, not a pipeline: docker compose up runs it; here each service becomes a component {id, image, command, ports, depends_on, …}'],
    ['process-compose.yaml', 'version: "0.5"\nprocesses:\n  web:\n    command: node web.js\n', 'this is a file of process-compose, not a pipeline: each of its processes becomes a component {id, command, depends_on, …}'],
    ['process-compose.json', '{"processes": {}}', 'this is a file of process-compose, not a pipeline: each of its processes becomes a component {id, command, depends_on, …}'],
    ['Procfile', 'web: node web.js --port $PORT\nworker: node worker.js\n', 'this is a Procfile, not a pipeline: each line `name: command` becomes a component {id: name, command: …}'],
    ['Procfile.dev', 'web: ${X} & {', 'this is a Procfile, not a pipeline: each line `name: command` becomes a component {id: name, command: …}'],
    ['proc.yaml', 'web: node web.js\nworker: node worker.js\n', 'this is a Procfile, not a pipeline: each line `name: command` becomes a component {id: name, command: …}'],
    ['ecosystem.config.cjs', 'module.exports = { apps: [] };', 'this is a file of PM2, not a pipeline: each app becomes a component {id, command, env}'],
    ['deployment.yaml', 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 2}\n', 'this is a manifest of Kubernetes (kind: Deployment), not a pipeline: kubectl apply -f deployment.yaml takes it'],
    ['manifest.yaml', 'name: hello\nversion: 1.0.0\nexecutable: ./run\n', 'this is a manifest of a pattern, not a pipeline: mimas launch --patterns-dir takes the folder above its own'],
  ];

  it.each(FILES)('%s is named as what it is', (name, text, is) => {
    expect(problems(text, name)).toEqual([`${name}:1:1: ${is}; ${INSTEAD}`]);
  });

  it.each(['Procfile', 'docker-compose.yml', 'ecosystem.config.cjs'])('mimas run and validate of a %s say so', (name) => {
    const project = makeProject();
    const [, text, is] = FILES.find(([one]) => one === name)!;
    writeFileSync(join(project.folder, name), text);
    for (const command of ['run', 'validate']) expect(project.mimas(command, name)).toEqual({ status: 2, stdout: '', stderr: `${name}:1:1: ${is}; ${INSTEAD}\n` });
  });

  it('a pipeline that merely looks like one is a pipeline', () => {
    expect(problems('x-common: {services: {}}\napiVersion: mimas/v1\nkind: Pipeline\nmetadata: {name: x}\nservices: {}\nspec: {sources: [{id: a, command: x}]}')).toEqual(["p.yaml:5:1: the file: unknown field 'services'"]);
  });
});
