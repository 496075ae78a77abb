// The values of a manifest by path, and what is wrong with them: each fault with the line of what is meant.
import { isMap, isNode, isScalar, type Document, type LineCounter } from 'yaml';
import { closest } from '../errors.js';
import { printable, shortened } from '../printable.js';
import { resolveProbeOptions, type ProbeTimes } from '../runtime/probes.js';
import { LauncherError, type LauncherErrorCode } from './errors.js';

export interface ManifestProblem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly code: LauncherErrorCode;
  readonly message: string;
}

export const problemText = ({ file, line, message }: ManifestProblem): string => printable(`${file}:${line}: ${message}`);

/** All that is wrong with a manifest, as one error. */
export const manifestError = (problems: readonly ManifestProblem[]): LauncherError =>
  new LauncherError(problems[0]!.code, problems.map(problemText).join('\n'), { context: { file: problems[0]!.file, line: problems[0]!.line } });

/** With so many, nobody reads the rest. */
const MOST_FAULTS = 50;
/** Of a path of a system. */
const LONGEST_TEXT = 4096;

/** Ends the reading of a manifest; its faults are told. */
export class TooManyFaults extends Error {}

type Path = readonly (string | number)[];

/** Values of a document by path; collects faults with their lines. */
export class Reader {
  readonly problems: ManifestProblem[] = [];

  constructor(private readonly file: string, private readonly document: Document, private readonly lines: LineCounter) {}

  /** At the line of `path`, or of what is nearest above it. */
  fault(message: string, path: Path, code: LauncherErrorCode = 'INVALID_MANIFEST'): void {
    if (this.problems.length >= MOST_FAULTS) {
      this.problems.push({ file: this.file, line: 1, code: 'INVALID_MANIFEST', message: 'validate manifest: there are more problems' });
      throw new TooManyFaults();
    }
    let line = 1;
    for (let depth = path.length; depth > 0; depth--) {
      const node: unknown = this.document.getIn(path.slice(0, depth), true);
      if (!isNode(node) || !node.range) continue;
      line = this.lines.linePos(node.range[0]).line;
      // A map below its key begins on the next line; the key is meant.
      if (depth < path.length || !isScalar(node)) line = this.keyLine(path.slice(0, depth)) ?? line;
      break;
    }
    this.problems.push({ file: this.file, line, code, message: `validate manifest: ${shortened(message)}` });
  }

  private keyLine(path: Path): number | undefined {
    const parent: unknown = path.length === 1 ? this.document.contents : this.document.getIn(path.slice(0, -1), true);
    const pair = isMap(parent) ? parent.items.find(({ key }) => isScalar(key) && key.value === path.at(-1)) : undefined;
    return pair && isScalar(pair.key) && pair.key.range ? this.lines.linePos(pair.key.range[0]).line : undefined;
  }

  value(path: Path): unknown {
    const node: unknown = this.document.getIn(path, true);
    const value: unknown = isNode(node) ? (node.toJS(this.document) as unknown) : node;
    return value === null ? undefined : value;
  }

  /** A scalar as it stands in the file: `1.0` stays `1.0`. */
  source(path: Path): string | undefined {
    return this.#sourceOf(this.document.getIn(path, true));
  }

  /** Of a map of scalars; undefined for what is none. */
  sources(path: Path): [string, string | undefined][] {
    const node: unknown = this.document.getIn(path, true);
    const value = this.value(path);
    if (value === undefined) return [];
    if (!isMap(node)) return this.fault(`${path.join('.')} must be a map`, path), [];
    return node.items.map(({ key, value: one }) => [String(isScalar(key) ? key.value : key), this.#sourceOf(one ?? undefined)]);
  }

  #sourceOf(node: unknown): string | undefined {
    if (!isScalar(node)) return undefined;
    return typeof node.value === 'string' ? node.value : node.value === null ? '' : (node.source ?? String(node.value));
  }

  text(key: string): string | undefined {
    const value = this.value([key]);
    if (value === undefined) return undefined;
    if (typeof value === 'object') return this.fault(`${key} must be a text`, [key]), undefined;
    const text = this.source([key]);
    if (text !== undefined && text.length > LONGEST_TEXT) return this.fault(`${key} is longer than ${LONGEST_TEXT} characters`, [key]), undefined;
    return text;
  }

  required(key: string): string | undefined {
    const text = this.text(key);
    if (!text && this.value([key]) === undefined) this.fault(`${key} is required`, [key]);
    else if (text?.trim() === '') this.fault(`${key} is required`, [key]);
    return text || undefined;
  }

  keys(path: Path): string[] {
    const value = this.value(path);
    if (value === undefined) return [];
    if (typeof value !== 'object' || Array.isArray(value)) return this.fault(`${path.join('.')} must be a map`, path), [];
    return Object.keys(value as object);
  }

  texts(path: Path): string[] {
    const value = this.value(path);
    if (value === undefined) return [];
    if (!Array.isArray(value) || value.some((item) => typeof item === 'object')) return this.fault(`${path.join('.')} must be a list of texts`, path), [];
    return value.map((_, i) => this.source([...path, i]) ?? '');
  }

  section(key: string, known: readonly string[]): boolean {
    if (this.value([key]) === undefined) return false;
    this.refuseUnknown([key], known);
    return true;
  }

  refuseUnknown(path: Path, known: readonly string[]): void {
    const keys = path.length === 0 ? Object.keys(this.document.toJS() as object) : this.keys(path);
    for (const key of keys) {
      if (known.includes(key)) continue;
      const near = closest(key, known);
      this.fault(`unknown key '${[...path, key].join('.')}'${near ? `; did you mean '${near}'?` : ''}`, [...path, key]);
    }
  }

  quantity(key: string, parse: (value: unknown, option: string) => number): number | undefined {
    const value = this.value(['resources', key]);
    if (value === undefined) return undefined;
    try {
      return parse(value, `resources.${key}`);
    } catch (error) {
      this.fault((error as Error).message, ['resources', key]);
      return undefined;
    }
  }

  probeTimes(): ProbeTimes {
    const names = { interval: 'interval', timeout: 'timeout', failureThreshold: 'failure_threshold', successThreshold: 'success_threshold', initialDelay: 'initial_delay', startupTimeout: 'startup_timeout' };
    const options: Record<string, unknown> = { interval: '30s' };
    for (const [option, key] of Object.entries(names)) {
      const value = this.value(['healthcheck', key]);
      if (value === undefined) continue;
      try {
        resolveProbeOptions({ [option]: value } as never, 'healthcheck');
        options[option] = value;
      } catch (error) {
        this.fault((error as Error).message.replace(`healthcheck.${option}`, `healthcheck.${key}`), ['healthcheck', key]);
      }
    }
    return resolveProbeOptions(options as never, 'healthcheck');
  }
}
