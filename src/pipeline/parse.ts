// From the text of a pipeline file to a pipeline, or to everything that is wrong with it, by line and column.
// Invariant: nothing here throws but `loadPipeline`, and the time it takes grows with the file, whatever is in it.
import { dirname, resolve } from 'node:path';
import { isMap, isNode, isScalar, Scalar, visit, type Document, type Node } from 'yaml';
import { closest } from '../errors.js';
import { parseBytes } from '../units.js';
import { composeYaml, withoutTraces } from '../yaml/compose.js';
import { resolveYaml } from '../yaml/resolve.js';
import { readTextFile } from '../yaml/text-file.js';
import { checkNode, type Report } from './check.js';
import { EnvFiles, variablesOf } from './env-files.js';
import { interpolate, MOST_TEXT, TOO_LONG, type Variables } from './interpolate.js';
import type { Component, PipelineSpec } from './model.js';
import { normalizeComponent } from './normalize.js';
import { invalidPipeline, ProblemList, type Problem } from './problems.js';
import { PIPELINE, SECTIONS } from './schema.js';
import { checkComponents } from './semantics.js';
import { Written } from './written.js';

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
  /** The first ones. */
  readonly problems: readonly Problem[];
  /** How many there are besides. */
  readonly more: number;
}

/** @throws PipelineInvalidError with all problems */
export function loadPipeline(file: string, options: LoadOptions = {}): PipelineSpec {
  const { pipeline, problems, more } = readPipeline(file, options);
  if (!pipeline) throw invalidPipeline(problems, more);
  return pipeline;
}

/** Reads and checks a file; never throws. */
export function readPipeline(file: string, options: LoadOptions = {}): Parsed {
  let source: string;
  try {
    source = readTextFile(file);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return { pipeline: undefined, problems: [{ file, line: 1, column: 1, path: '', message: missing ? `pipeline file not found: ${file}` : (error as Error).message }], more: 0 };
  }
  return parsePipeline(source, file, options);
}

/** Reads and checks a text; never throws. */
export function parsePipeline(source: string, file: string, options: LoadOptions = {}): Parsed {
  return withoutTraces(() => {
    const { document, faults, lines } = composeYaml(source, MERGING);
    const problems = new ProblemList(file, lines);
    for (const { offset, message } of faults) problems.add(offset, '', message);
    let pipeline: PipelineSpec | undefined;
    try {
      if (document && problems.count === 0) pipeline = read(document, file, options, problems);
    } catch (error) {
      problems.add(0, '', (error as Error).message);
    }
    return { pipeline: problems.count === 0 ? pipeline : undefined, ...problems.listed() };
  });
}

const MERGING = { merge: true };

/** Each step needs what those before it have made sure of. */
function read(doc: Document.Parsed, file: string, { env = process.env, envFiles }: LoadOptions, problems: ProblemList): PipelineSpec | undefined {
  const folder = dirname(resolve(file));
  const report: Report = (node, path, message, suggest) => problems.add(node, path, message, suggest);
  const variables = { ...variablesOf(folder, envFiles, (message) => problems.add(0, '', message)), ...env };
  interpolateDocument(doc, variables, report);
  if (problems.count > 0) return undefined;
  resolveYaml(doc, (node, message) => report(node, '', message), MERGING);
  if (problems.count > 0) return undefined;
  checkNode(doc.contents, PIPELINE, '', report);
  if (!isMap(doc.contents)) return undefined;
  const written = new Written(doc.toJS());
  checkHead(doc, written, report);
  return problems.count > 0 ? undefined : build(doc, written, { file, folder, problems });
}

function interpolateDocument(doc: Document, variables: Variables, report: Report): void {
  let length = 0;
  const others = (name: string) => Object.keys(variables).filter((one) => one !== name);
  visit(doc, {
    Scalar(key, node) {
      if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('$')) return undefined;
      const before = node.value;
      node.value = interpolate(before, variables, (message, name) => report(node, '', message, name === undefined ? undefined : () => closest(name, others(name))));
      if ((length += (node.value as string).length) > MOST_TEXT) {
        report(node, '', TOO_LONG);
        return visit.BREAK;
      }
      // An unquoted value has the type that it would have had if it had been written out.
      if (node.type !== Scalar.PLAIN || node.value === before) return undefined;
      node.source = node.value as string;
      if (/^(?:-?(?:0|[1-9]\d*)(?:\.\d+)?|true|false)$/.test(node.source)) node.value = JSON.parse(node.source);
      return undefined;
    },
  });
}

function checkHead(doc: Document, written: Written, report: Report): void {
  const at = (...path: string[]) => (path.length === 0 ? doc.contents : (doc.getIn(path, true) as Node | undefined) ?? doc.contents) as Node;
  const kind = written.get('kind').text();
  if (!written.get('apiVersion').text()) report(at(), 'apiVersion', 'apiVersion is required');
  if (kind !== 'Pipeline') report(at('kind'), 'kind', `kind must be 'Pipeline', got: ${kind ?? ''}`, kind === undefined ? undefined : () => closest(kind, ['Pipeline']));
  if (!written.get('metadata').get('name').text()) report(at('metadata'), 'metadata.name', 'metadata.name is required');
  if (['sources', 'pipelines'].every((section) => written.get('spec').get(section).list().length === 0)) report(at('spec'), 'spec', 'at least one source or pipeline component is required');
}

interface Building { readonly file: string; readonly folder: string; readonly problems: ProblemList }

function build(doc: Document, written: Written, { file, folder, problems }: Building): PipelineSpec {
  const [metadata, spec] = [written.get('metadata'), written.get('spec')];
  const log = spec.get('log');
  const driver = spec.get('driver').word<'process' | 'container' | 'docker'>();
  const env = spec.get('env').record();
  const places = new Map<Component, Place>();
  const files = new EnvFiles();
  const at = (place: Place, field: string) => () => nodeAt(doc, [...place, ...partsOf(field)]);
  const components = Object.entries(SECTIONS).flatMap(([section, kind]) =>
    spec.get(section).list().map((one, index) => {
      const place: Place = ['spec', section, index];
      const component = normalizeComponent(kind, one, {
        folder,
        env,
        take: (variables) => files.take(variables),
        envFile(path) {
          try {
            return files.read(path);
          } catch (error) {
            problems.add(at(place, 'env_file'), nameOf(place, 'env_file'), `${one.get('id').text()}: ${(error as Error).message}`);
            return {};
          }
        },
      });
      places.set(component, place);
      return component;
    }),
  );
  checkComponents(components, (component, field, message, suggest) => {
    const place = places.get(component)!;
    problems.add(at(place, field), nameOf(place, field), message, suggest);
  });
  const byId = new Map(components.toReversed().map((one) => [one.id, places.get(one)!]));
  const locate = (id: string, field: string): Omit<Problem, 'message'> => {
    const place = byId.get(id);
    return { file, ...problems.placeOf(nodeAt(doc, [...(place ?? []), ...partsOf(field)])), path: place ? nameOf(place, field) : field };
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
