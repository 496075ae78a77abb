// The files that variables come from: those of the whole pipeline file, and those of `env_file`.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MOST_VALUES } from '../yaml/resolve.js';
import { readTextFile } from '../yaml/text-file.js';
import { MOST_TEXT, parseEnvFile } from './interpolate.js';

/** For `${…}`; default: `.env` in the folder, when there is one. Later files win. */
export function variablesOf(folder: string, envFiles: readonly string[] | undefined, complain: (message: string) => void): Record<string, string> {
  const beside = join(folder, '.env');
  const files = envFiles ?? (existsSync(beside) ? [beside] : []);
  const variables = new Map<string, string>();
  for (const file of files) {
    try {
      for (const [name, value] of Object.entries(parseEnvFile(readTextFile(file)))) variables.set(name, value);
    } catch (error) {
      complain(`env file: ${(error as Error).message}`);
    }
  }
  return Object.fromEntries(variables);
}

/** The files of `env_file`, each read once, and what comes of them: components have files, and a file has components, by thousands. */
export class EnvFiles {
  readonly #known = new Map<string, Record<string, string>>();
  #characters = 0;
  #variables = 0;

  /** @throws Error of the file system, or that they are too much */
  read(path: string): Record<string, string> {
    const known = this.#known.get(path);
    if (known) return known;
    if (this.#characters > MOST_TEXT) throw new Error(`the files of all components are more than is read: ${MOST_TEXT / 1024 ** 2} MB`);
    const text = readTextFile(path);
    this.#characters += text.length;
    const variables = parseEnvFile(text);
    this.#known.set(path, variables);
    return variables;
  }

  /** @throws Error */
  take(variables: number): void {
    if ((this.#variables += variables) > MOST_VALUES) throw new Error(`all components together have more variables than can be had: ${MOST_VALUES}`);
  }
}
