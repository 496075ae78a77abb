// From the text of a pipeline file to a pipeline, or to everything that is wrong with it, by line and column.
// Invariant: nothing here throws but `loadPipeline`, and the time it takes grows with the file, whatever is in it.
import { randomUUID } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { isMap, isNode, isScalar, Scalar, visit, type Document, type Node } from 'yaml';
import { closest } from '../errors.js';
import { parseBytes } from '../units.js';
import { composeYaml, withoutTraces } from '../yaml/compose.js';
import { resolveYaml } from '../yaml/resolve.js';
import { readTextFile } from '../yaml/text-file.js';
import { checkNode, type Report } from './check.js';
import { EnvFiles, variablesOf, type ComplainOfFile } from './env-files.js';
import { foreignByContent, foreignByName } from './foreign.js';
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
/** As they are called here, and by flowctl. */
const DRIVERS = { process: 'process', local: 'process', container: 'container', docker: 'container' } as const;

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
  /** What sense could be made of, for what an orchestrator refuses besides. */
  readonly sound?: Sound | undefined;
}

/** The components that nothing is wrong with by themselves. */
export type Sound = Pick<PipelineSpec, 'file' | 'components' | 'locate' | 'driver'>;

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
    // It may be no YAML at all.
    const foreign = foreignByName(file);
    if (foreign !== undefined) return problems.only(foreign), { pipeline: undefined, ...problems.listed() };
    for (const { offset, message } of faults) problems.add(offset, '', message);
    let found: Found = {};
    try {
      if (document && problems.count === 0) found = read(document, file, options, problems);
    } catch (error) {
      problems.add(0, '', (error as Error).message);
    }
    return { pipeline: problems.count === 0 ? found.pipeline : undefined, sound: found.sound, ...problems.listed() };
  });
}

const MERGING = { merge: true };

/** As much of the file is looked at as can be made sense of: who mends it learns of everything at once. */
function read(doc: Document.Parsed, file: string, { env = process.env, envFiles }: LoadOptions, problems: ProblemList): Found {
  const complain: ComplainOfFile = (where, line, message, variable) => {
    const suggest = variable === undefined ? undefined : () => closest(variable, Object.keys(env));
    if (line === undefined) problems.add(0, '', message);
    else problems.addIn(where, line, message, suggest);
  };
  const variables = { ...variablesOf(file, envFiles, { env, complain }), ...env };
  /** Stands for what a reference could not be replaced by: of what has it, nothing more is said. */
  const unknown = `unknown-${randomUUID()}`;
  const marked = (node: unknown) => isScalar(node) && typeof node.value === 'string' && node.value.includes(unknown);
  const before = problems.count;
  interpolateDocument(doc, variables, { unknown, report: (node, path, message, suggest) => problems.add(node, path, message, suggest) });
  const someUnknown = problems.count > before;
  const foreign = foreignByContent(shallow(doc), file);
  if (foreign !== undefined) return problems.only(foreign), {};
  let structural = false;
  resolveYaml(doc, (node, message) => {
    structural = true;
    problems.add(node, '', message);
  }, MERGING);
  if (structural) return {};
  const wrong = new Set<string>();
  const report: Report = (node, path, message, suggest) => {
    if (!marked(node)) problems.add(node, path, message, suggest);
  };
  checkNode(doc.contents, PIPELINE, '', (node, path, message, suggest) => {
    wrong.add(/^(?:spec(?:\.\w+(?:\[\d+\])?)?)?/.exec(path)![0]);
    report(node, path, message, suggest);
  });
  if (!isMap(doc.contents)) return {};
  const written = new Written(doc.toJS());
  checkHead(doc, written, report);
  const isWhole = (section: string, index: number, one: Written) =>
    !['spec', `spec.${section}`, `spec.${section}[${index}]`].some((path) => wrong.has(path)) && !(someUnknown && one.scalar().includes(unknown));
  return build(doc, written, { file, problems, isWhole, unknown, files: new EnvFiles(file, variables, complain) });
}

/** As much of the document as tells what it is: its fields, and of maps and lists no more than that they are some. */
function shallow(doc: Document): unknown {
  if (!isMap(doc.contents)) return undefined;
  return Object.fromEntries(doc.contents.items.map(({ key, value }) => [String(isScalar(key) ? key.value : ''), isScalar(value) ? value.value : isMap(value) ? {} : []]));
}

interface Interpolating { readonly unknown: string; readonly report: Report }

function interpolateDocument(doc: Document, variables: Variables, { unknown, report }: Interpolating): void {
  let length = 0;
  const others = (name: string) => Object.keys(variables).filter((one) => one !== name);
  visit(doc, {
    Scalar(key, node) {
      if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('$')) return undefined;
      const before = node.value;
      let failed = false;
      const value = interpolate(before, variables, (message, name) => {
        failed = true;
        report(node, '', message, name === undefined ? undefined : () => closest(name, others(name)));
      });
      node.value = failed ? unknown : value;
      if ((length += value.length) > MOST_TEXT) {
        report(node, '', TOO_LONG);
        node.value = unknown;
        return visit.BREAK;
      }
      // An unquoted value has the type that it would have had if it had been written out.
      if (failed || node.type !== Scalar.PLAIN || value === before) return undefined;
      node.source = value;
      if (/^(?:-?(?:0|[1-9]\d*)(?:\.\d+)?|true|false)$/.test(value)) node.value = JSON.parse(value);
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

interface Building {
  readonly file: string;
  readonly problems: ProblemList;
  readonly files: EnvFiles;
  readonly unknown: string;
  /** Nothing has been said of it that would make no sense of it. */
  isWhole(section: string, index: number, one: Written): boolean;
}

interface Found {
  /** Only without problems. */
  readonly pipeline?: PipelineSpec;
  readonly sound?: Sound;
}

function build(doc: Document, written: Written, { file, problems, files, unknown, isWhole }: Building): Found {
  const folder = dirname(resolve(file));
  const [metadata, spec] = [written.get('metadata'), written.get('spec')];
  const driver = spec.get('driver').word<keyof typeof DRIVERS>();
  const env = spec.get('env').record();
  const places = new Map<Component, Place>();
  /** Ids of components that nothing can be made of; undefined is one whose id is not known. */
  const broken = new Set<string | undefined>();
  const at = (place: Place, field: string) => () => nodeAt(doc, [...place, ...partsOf(field)]);
  const components = Object.entries(SECTIONS).flatMap(([section, kind]) =>
    spec.get(section).list().flatMap((one, index) => {
      const place: Place = ['spec', section, index];
      if (!isWhole(section, index, one)) {
        const id = one.get('id').text();
        broken.add(id?.includes(unknown) ? undefined : id);
        return [];
      }
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
      return [component];
    }),
  );
  const isOfBroken = (id: string | undefined) => id !== undefined && (broken.has(id) || broken.has(undefined));
  checkComponents(components, (component, field, message, suggest) => {
    // Who is named there may be there.
    const input = /^inputs\[(\d+)\]$/.exec(field)?.[1];
    if (isOfBroken(input === undefined ? /^depends_on\.(.*)$/.exec(field)?.[1] : component.inputs[Number(input)])) return;
    const place = places.get(component)!;
    problems.add(at(place, field), nameOf(place, field), message, suggest);
  });
  const byId = new Map(components.toReversed().map((one) => [one.id, places.get(one)!]));
  const locate = (id: string, field: string): Omit<Problem, 'message'> => {
    const place = byId.get(id);
    return { file, ...problems.placeOf(nodeAt(doc, [...(place ?? []), ...partsOf(field)])), path: place ? nameOf(place, field) : field };
  };
  const sound: Sound = { file: resolve(file), components, locate, driver: driver && DRIVERS[driver] };
  if (problems.count > 0) return { sound };
  const log = spec.get('log');
  return {
    sound,
    pipeline: {
      ...sound,
      folder,
      name: metadata.get('name').text()!,
      description: spec.get('description').text(),
      labels: metadata.get('labels').record(),
      onFailure: spec.get('on_failure').word() ?? 'stop',
      maxConcurrentStarts: spec.get('max_concurrent_starts').number(),
      log: { maxSize: parseBytes(log.get('max_size').amount() ?? DEFAULT_LOG_SIZE), maxFiles: log.get('max_files').number() ?? 5 },
    },
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
