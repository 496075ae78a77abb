// What is wrong with a pipeline file: each problem with its place and, where one can be guessed, what was meant.
// Invariant: a list of problems costs what the first ones cost; of the others there is but the number.
import { isNode, type LineCounter, type Node } from 'yaml';
import { PipelineInvalidError } from '../errors.js';
import { printable, shortened } from '../printable.js';

export interface Problem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** Such as `spec.sources[0].env`. */
  readonly path: string;
  readonly message: string;
  readonly suggestion?: string;
}

/** What was meant; asked for only when it is told. */
export type Suggest = () => string | undefined;
/** Where in the file; looked for only when it is told. */
export type Where = number | Node | undefined | (() => Node | undefined);

export const MOST_PROBLEMS = 50;

export class ProblemList {
  readonly #kept: Problem[] = [];
  #count = 0;

  constructor(private readonly file: string, private readonly lines: LineCounter) {}

  get count(): number {
    return this.#count;
  }

  add(where: Where, path: string, message: string, suggest?: Suggest): void {
    if (++this.#count > MOST_PROBLEMS) return;
    const suggestion = suggest?.();
    this.#kept.push({ file: this.file, ...this.placeOf(where), path: shortened(path), message: shortened(message), ...(suggestion === undefined ? {} : { suggestion }) });
  }

  /** Of the whole file; all else is beside the point. */
  only(message: string): void {
    this.#kept.length = 0;
    this.#count = 0;
    this.add(0, '', message);
  }

  /** Of another file, such as one of variables. */
  addIn(file: string, line: number, message: string, suggest?: Suggest): void {
    if (++this.#count > MOST_PROBLEMS) return;
    const suggestion = suggest?.();
    this.#kept.push({ file, line, column: 1, path: '', message: shortened(message), ...(suggestion === undefined ? {} : { suggestion }) });
  }

  placeOf(where: Where): { line: number; column: number } {
    const found = typeof where === 'function' ? where() : where;
    const { line, col } = this.lines.linePos(isNode(found) ? (found.range?.[0] ?? 0) : (found ?? 0));
    return { line: line || 1, column: col || 1 };
  }

  /** Those that are told, in the order of the files, other files first, and how many there are besides. */
  listed(): { problems: Problem[]; more: number } {
    const files = [...new Set(this.#kept.map(({ file }) => file).filter((file) => file !== this.file)), this.file];
    return { problems: this.#kept.toSorted((a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column), more: this.#count - this.#kept.length };
  }
}

/** `file:line:column: message; did you mean 'x'?` on one line, fit for a terminal. */
export const formatProblem = ({ file, line, column, message, suggestion }: Problem): string =>
  printable(`${file}:${line}:${column}: ${message}${suggestion === undefined ? '' : `; did you mean '${suggestion}'?`}`);

/** The first problems, and how many more there are. */
export const formatProblems = (problems: readonly Problem[], more = 0): string[] => {
  const told = problems.slice(0, MOST_PROBLEMS);
  const left = more + problems.length - told.length;
  return [...told.map(formatProblem), ...(left > 0 ? [`${printable(problems[0]!.file)}: and ${left} more problem${left === 1 ? '' : 's'}`] : [])];
};

export const invalidPipeline = (problems: readonly Problem[], more = 0): PipelineInvalidError =>
  new PipelineInvalidError(formatProblems(problems, more).join('\n'), { problems });
