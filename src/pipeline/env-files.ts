// The files that variables come from: those of the whole pipeline file, and those of `env_file`. What is wrong in one is told with its line.
import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { MOST_VALUES } from '../yaml/resolve.js';
import { readTextFile } from '../yaml/text-file.js';
import { parseEnvFile, type EnvTextOptions } from './env-text.js';
import { MOST_TEXT, type Variables } from './interpolate.js';

/** `line` is undefined when the file cannot be read at all. */
export type ComplainOfFile = (file: string, line: number | undefined, message: string, variable?: string) => void;

/** For `${…}`; default: `.env` beside the pipeline file, when there is one. Later files win; `env` wins over all, also in their references. */
export function variablesOf(pipelineFile: string, envFiles: readonly string[] | undefined, { env, complain }: { env: Variables; complain: ComplainOfFile }): Record<string, string> {
  const beside = join(dirname(pipelineFile), '.env');
  const files = envFiles ?? (existsSync(beside) ? [beside] : []);
  const variables = new Map<string, string>();
  for (const file of files) {
    try {
      const given = { ...Object.fromEntries(variables), ...env };
      for (const [name, value] of Object.entries(parseEnvFile(readTextFile(file), { ...telling(file, complain), variables: given, first: true }))) variables.set(name, value);
    } catch (error) {
      complain(file, undefined, `env file: ${(error as Error).message}`);
    }
  }
  return Object.fromEntries(variables);
}

/** The files of `env_file`, each read once, and what comes of them: components have files, and a file has components, by thousands. */
export class EnvFiles {
  readonly #known = new Map<string, Record<string, string>>();
  #characters = 0;
  #variables = 0;

  /** `variables` are what references mean that a file itself does not say. */
  constructor(private readonly pipelineFile: string, private readonly variables: Variables, private readonly complain: ComplainOfFile) {}

  /** As written in the pipeline file. @throws Error of the file system, or that they are too much */
  read(written: string): Record<string, string> {
    const beside = dirname(this.pipelineFile);
    const path = resolve(beside, written);
    const known = this.#known.get(path);
    if (known) return known;
    if (this.#characters > MOST_TEXT) throw new Error(`the files of all components are more than is read: ${MOST_TEXT / 1024 ** 2} MB`);
    const text = readTextFile(path);
    this.#characters += text.length;
    const variables = parseEnvFile(text, { ...telling(isAbsolute(written) ? written : join(beside, written), this.complain), variables: this.variables });
    this.#known.set(path, variables);
    return variables;
  }

  /** @throws Error */
  take(variables: number): void {
    if ((this.#variables += variables) > MOST_VALUES) throw new Error(`all components together have more variables than can be had: ${MOST_VALUES}`);
  }
}

const telling = (file: string, complain: ComplainOfFile): Pick<EnvTextOptions, 'onProblem'> => ({ onProblem: (line, message, variable) => complain(file, line, message, variable) });
