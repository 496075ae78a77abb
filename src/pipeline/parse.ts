// From the text of a pipeline file to a pipeline, or to everything that is wrong with it, by line and column.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isMap, isNode, isScalar, LineCounter, parseDocument, Scalar, visit, type Document, type Node } from 'yaml';
import { closest } from '../errors.js';
import { parseBytes } from '../units.js';
import { checkNode, type Report } from './check.js';
import { interpolate, parseEnvFile, type Variables } from './interpolate.js';
import type { Component, PipelineSpec } from './model.js';
import { normalizeComponent, type Written } from './normalize.js';
import { invalidPipeline, type Problem } from './problems.js';
import { PIPELINE, SECTIONS } from './schema.js';
import { checkComponents } from './semantics.js';

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
  const add = (offset: number, path: string, message: string, suggestion?: string) => {
    const { line, col } = lines.linePos(offset);
    problems.push({ file, line: line || 1, column: col || 1, path, message, ...(suggestion === undefined ? {} : { suggestion }) });
  };
  const report: Report = (node, path, message, suggestion) => add(node?.range?.[0] ?? 0, path, message, suggestion);
  for (const { pos, message } of doc.errors) add(pos[0], '', message.split('\n')[0]!);
  const done = (pipeline?: PipelineSpec): Parsed => ({ pipeline: problems.length === 0 ? pipeline : undefined, problems: problems.sort((a, b) => a.line - b.line || a.column - b.column) });
  if (problems.length > 0) return done();
  const variables = { ...variablesOf(folder, envFiles, (message) => add(0, '', message)), ...env };
  interpolateDocument(doc, variables, report);
  if (problems.length > 0) return done();
  checkNode(doc, doc.contents, PIPELINE, '', report);
  const written: Written = isMap(doc.contents) ? doc.toJS() : {};
  checkHead(doc, written, report);
  if (problems.length > 0) return done();
  try {
    return done(build(doc, written, file, folder, report));
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
      if (node.type === Scalar.PLAIN && node.value !== before && /^(?:-?\d+(?:\.\d+)?|true|false)$/.test(node.value as string)) node.value = JSON.parse(node.value as string);
    },
  });
}

function checkHead(doc: Document, written: Written, report: Report): void {
  const at = (...path: string[]) => (path.length === 0 ? doc.contents : (doc.getIn(path, true) as Node | undefined) ?? doc.contents) as Node;
  if (!written.apiVersion) report(at(), 'apiVersion', 'apiVersion is required');
  if (written.kind !== 'Pipeline') report(at('kind'), 'kind', `kind must be 'Pipeline', got: ${written.kind ?? ''}`, typeof written.kind === 'string' ? closest(written.kind, ['Pipeline']) : undefined);
  if (!written.metadata?.name) report(at('metadata'), 'metadata.name', 'metadata.name is required');
  if (!written.spec?.sources?.length && !written.spec?.pipelines?.length) report(at('spec'), 'spec', 'at least one source or pipeline component is required');
}

function build(doc: Document, written: Written, file: string, folder: string, report: Report): PipelineSpec {
  const { metadata, spec } = written;
  const env = Object.fromEntries(Object.entries(spec.env ?? {}).map(([key, value]) => [key, String(value ?? '')]));
  const places = new Map<Component, (string | number)[]>();
  const components = Object.entries(SECTIONS).flatMap(([section, kind]) =>
    (spec[section] ?? []).map((one: Written, index: number) => {
      const place = ['spec', section, index];
      const component = normalizeComponent(kind, one, {
        folder,
        env,
        envFile(path) {
          try {
            return parseEnvFile(readFileSync(path, 'utf8'));
          } catch (error) {
            report(nodeAt(doc, [...place, 'env_file']), `spec.${section}[${index}].env_file`, `${one.id}: ${(error as Error).message}`);
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
    const inner = field.split(/[.[\]]+/).filter(Boolean).map((part) => (/^\d+$/.test(part) ? Number(part) : part));
    report(nodeAt(doc, [...place, ...inner]), `${place[0]}.${place[1]}[${place[2]}]${field && `.${field}`}`, message, suggestion);
  });
  return {
    file: resolve(file),
    folder,
    name: metadata.name,
    description: spec.description,
    labels: Object.fromEntries(Object.entries(metadata.labels ?? {}).map(([key, value]) => [key, String(value ?? '')])),
    driver: spec.driver === 'docker' ? 'container' : spec.driver,
    onFailure: spec.on_failure ?? 'stop',
    log: { maxSize: spec.log?.max_size === undefined ? 10 * 1024 ** 2 : parseBytes(spec.log.max_size), maxFiles: spec.log?.max_files ?? 5 },
    components,
  };
}

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
