// From the text of a pipeline file to a pipeline, or to everything that is wrong with it, by line and column.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isMap, isNode, isScalar, LineCounter, parseDocument, Scalar, visit, type Document, type Node } from 'yaml';
import { closest } from '../errors.js';
import { parseBytes } from '../units.js';
import { checkNode, type Report } from './check.js';
import { interpolate, parseEnvFile, type Variables } from './interpolate.js';
import type { Component, PipelineSpec } from './model.js';
import { normalizeComponent } from './normalize.js';
import { invalidPipeline, type Problem } from './problems.js';
import { PIPELINE, SECTIONS } from './schema.js';
import { checkComponents } from './semantics.js';
import { Written } from './written.js';

type PlaceAt = (offset: number) => { line: number; column: number };
/** Of a component in the file. */
type Place = readonly ['spec', string, number];

const DEFAULT_LOG_SIZE = '10MB';

export interface LoadOptions {
  /** Variables for `${…}`; default: this program's own. They win over files. */
  env?: Variables;
  /** Files of variables; default: `.env` beside the pipeline file, when there is one. */
  envFiles?: readonly string[];
}

export interface Parsed {
  /** Only without problems. */
  readonly pipeline: PipelineSpec | undefined;
  readonly problems: readonly Problem[];
}

/** @throws PipelineInvalidError with all problems */
export function loadPipeline(file: string, options: LoadOptions = {}): PipelineSpec {
  const { pipeline, problems } = readPipeline(file, options);
  if (!pipeline) throw invalidPipeline(problems);
  return pipeline;
}

/** Reads and checks a file; never throws. */
export function readPipeline(file: string, options: LoadOptions = {}): Parsed {
  let source: string;
  try {
    source = readFileSync(file, 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return { pipeline: undefined, problems: [{ file, line: 1, column: 1, path: '', message: missing ? `pipeline file not found: ${file}` : (error as Error).message }] };
  }
  return parsePipeline(source, file, options);
}

export function parsePipeline(source: string, file: string, { env = process.env, envFiles }: LoadOptions = {}): Parsed {
  const lines = new LineCounter();
  const doc = parseDocument(source, { lineCounter: lines, prettyErrors: false, merge: true });
  const problems: Problem[] = [];
  const folder = dirname(resolve(file));
  const placeAt: PlaceAt = (offset) => {
    const { line, col } = lines.linePos(offset);
    return { line: line || 1, column: col || 1 };
  };
  const add = (offset: number, path: string, message: string, suggestion?: string) => {
    problems.push({ file, ...placeAt(offset), path, message, ...(suggestion === undefined ? {} : { suggestion }) });
  };
  const report: Report = (node, path, message, suggestion) => add(node?.range?.[0] ?? 0, path, message, suggestion);
  for (const { pos, message } of doc.errors) add(pos[0], '', message.split('\n')[0]!);
  const done = (pipeline?: PipelineSpec): Parsed => ({ pipeline: problems.length === 0 ? pipeline : undefined, problems: problems.sort((a, b) => a.line - b.line || a.column - b.column) });
  if (problems.length > 0) return done();
  const variables = { ...variablesOf(folder, envFiles, (message) => add(0, '', message)), ...env };
  interpolateDocument(doc, variables, report);
  if (problems.length > 0) return done();
  checkNode(doc, doc.contents, PIPELINE, '', report);
  const written = new Written(isMap(doc.contents) ? doc.toJS() : {});
  checkHead(doc, written, report);
  if (problems.length > 0) return done();
  try {
    return done(build(doc, written, file, folder, report, placeAt));
  } catch (error) {
    add(0, '', (error as Error).message);
    return done();
  }
}

function variablesOf(folder: string, envFiles: readonly string[] | undefined, complain: (message: string) => void): Record<string, string> {
  const beside = join(folder, '.env');
  const files = envFiles ?? (existsSync(beside) ? [beside] : []);
  return Object.assign({}, ...files.map((one) => {
    try {
      return parseEnvFile(readFileSync(one, 'utf8'));
    } catch (error) {
      complain(`env file: ${(error as Error).message}`);
      return {};
    }
  }));
}

function interpolateDocument(doc: Document, variables: Variables, report: Report): void {
  visit(doc, {
    Scalar(key, node) {
      if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('$')) return;
      const before = node.value;
      node.value = interpolate(before, variables, (message, name) => report(node, '', message, name && closest(name, Object.keys(variables).filter((one) => one !== name))));
      // An unquoted value has the type that it would have had if it had been written out.
      if (node.type !== Scalar.PLAIN || node.value === before) return;
      node.source = node.value as string;
      if (/^(?:-?(?:0|[1-9]\d*)(?:\.\d+)?|true|false)$/.test(node.source)) node.value = JSON.parse(node.source);
    },
  });
}

function checkHead(doc: Document, written: Written, report: Report): void {
  const at = (...path: string[]) => (path.length === 0 ? doc.contents : (doc.getIn(path, true) as Node | undefined) ?? doc.contents) as Node;
  const kind = written.get('kind').text();
  if (!written.get('apiVersion').text()) report(at(), 'apiVersion', 'apiVersion is required');
  if (kind !== 'Pipeline') report(at('kind'), 'kind', `kind must be 'Pipeline', got: ${kind ?? ''}`, kind === undefined ? undefined : closest(kind, ['Pipeline']));
  if (!written.get('metadata').get('name').text()) report(at('metadata'), 'metadata.name', 'metadata.name is required');
  if (['sources', 'pipelines'].every((section) => written.get('spec').get(section).list().length === 0)) report(at('spec'), 'spec', 'at least one source or pipeline component is required');
}

function build(doc: Document, written: Written, file: string, folder: string, report: Report, placeAt: PlaceAt): PipelineSpec {
  const [metadata, spec] = [written.get('metadata'), written.get('spec')];
  const log = spec.get('log');
  const driver = spec.get('driver').word<'process' | 'container' | 'docker'>();
  const env = spec.get('env').record();
  const places = new Map<Component, Place>();
  const components = Object.entries(SECTIONS).flatMap(([section, kind]) =>
    spec.get(section).list().map((one, index) => {
      const place: Place = ['spec', section, index];
      const component = normalizeComponent(kind, one, {
        folder,
        env,
        envFile(path) {
          try {
            return parseEnvFile(readFileSync(path, 'utf8'));
          } catch (error) {
            report(nodeAt(doc, [...place, 'env_file']), nameOf(place, 'env_file'), `${one.get('id').text()}: ${(error as Error).message}`);
            return {};
          }
        },
      });
      places.set(component, place);
      return component;
    }),
  );
  checkComponents(components, (component, field, message, suggestion) => {
    const place = places.get(component)!;
    report(nodeAt(doc, [...place, ...partsOf(field)]), nameOf(place, field), message, suggestion);
  });
  const locate = (id: string, field: string): Omit<Problem, 'message'> => {
    const place = [...places].find(([component]) => component.id === id)?.[1];
    return { file, ...placeAt(nodeAt(doc, [...(place ?? []), ...partsOf(field)])?.range?.[0] ?? 0), path: place ? nameOf(place, field) : field };
  };
  return {
    file: resolve(file),
    folder,
    locate,
    name: metadata.get('name').text()!,
    description: spec.get('description').text(),
    labels: metadata.get('labels').record(),
    driver: driver === 'docker' ? 'container' : driver,
    onFailure: spec.get('on_failure').word() ?? 'stop',
    log: { maxSize: parseBytes(log.get('max_size').amount() ?? DEFAULT_LOG_SIZE), maxFiles: log.get('max_files').number() ?? 5 },
    components,
  };
}

const nameOf = ([spec, section, index]: Place, field: string): string => `${spec}.${section}[${index}]${field && `.${field}`}`;

/** `ports[0].env` as a path. */
const partsOf = (field: string): (string | number)[] => field.split(/[.[\]]+/).filter(Boolean).map((part) => (/^\d+$/.test(part) ? Number(part) : part));

/** The node at `path`, or the nearest one around it; a list written as `depends_on: [a]` is searched for its text. */
function nodeAt(doc: Document, path: readonly (string | number)[]): Node | undefined {
  for (let length = path.length; length > 0; length--) {
    const node = doc.getIn(path.slice(0, length), true);
    const rest = path[length];
    if (!isNode(node)) continue;
    const item = rest === undefined ? undefined : ((node as { items?: unknown[] }).items ?? []).find((one) => isScalar(one) && one.value === rest);
    return isNode(item) ? item : node;
  }
  return undefined;
}
