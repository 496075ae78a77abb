// What is wrong with a pipeline file: each problem with its place and, where one can be guessed, what was meant.
import { PipelineInvalidError } from '../errors.js';

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

/** `file:line:column: message; did you mean 'x'?` */
export const formatProblem = ({ file, line, column, message, suggestion }: Problem): string =>
  `${file}:${line}:${column}: ${message}${suggestion === undefined ? '' : `; did you mean '${suggestion}'?`}`;

export const invalidPipeline = (problems: readonly Problem[]): PipelineInvalidError =>
  new PipelineInvalidError(problems.map(formatProblem).join('\n'), { problems });
