// Reads the options object of a decorator. Invariant: an option is known and makes sense, or the class is not defined.
import { InvalidOptionError, UnknownOptionError, closest } from '../errors.js';
import { parseDuration } from '../units.js';

type Reader<T> = (value: unknown) => T;

/** The given options, read one by one; absent and undefined ones are left out. `where` begins every message. */
export function readOptions<T extends object>(where: string, given: unknown, readers: { [K in keyof T]-?: Reader<T[K]> }): Partial<T> {
  const known = Object.keys(readers);
  if (given === undefined) return {};
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new InvalidOptionError(`${where}: options are an object such as { ${known[0] ?? ''} }, not ${JSON.stringify(given) ?? typeof given}`, { option: '' });
  }
  const result: Partial<T> = {};
  for (const [option, value] of Object.entries(given)) {
    const reader = Object.hasOwn(readers, option) ? readers[option as keyof T] : undefined;
    if (reader === undefined) throw unknownOption(where, option, known);
    if (value === undefined) continue;
    try {
      result[option as keyof T] = reader(value);
    } catch (error) {
      throw new InvalidOptionError(`${where}: ${option}: ${(error as Error).message}`, { option });
    }
  }
  return result;
}

export const text: Reader<string> = (value) => {
  if (typeof value !== 'string' || value.trim() === '') throw new TypeError(`${show(value)} is not a text`);
  return value;
};

export const flag: Reader<boolean> = (value) => {
  if (typeof value !== 'boolean') throw new TypeError(`${show(value)} is neither true nor false`);
  return value;
};

export const count: Reader<number> = (value) => {
  if (!Number.isInteger(value) || (value as number) < 1) throw new TypeError(`${show(value)} is not a whole number of at least 1`);
  return value as number;
};

/** Milliseconds; Infinity says "never". Zero is refused: it reads as "none" to some and as "at once" to others. */
export const duration: Reader<number> = (value) => {
  let ms: number;
  try {
    ms = parseDuration(value as number | string);
  } catch {
    throw new TypeError(`${show(value)} is not a duration; write milliseconds or a string such as '30s'`);
  }
  if (ms === 0) throw new TypeError('it must be longer than 0');
  return ms;
};

function unknownOption(where: string, option: string, known: readonly string[]): UnknownOptionError {
  const suggestion = closest(option, known);
  const hint = known.length === 0 ? 'it takes no options' : suggestion ? `did you mean '${suggestion}'?` : `it knows ${known.join(', ')}`;
  return new UnknownOptionError(`${where}: unknown option '${option}'; ${hint}`, suggestion ? { option, suggestion } : { option });
}

function show(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : typeof value === 'object' && value !== null ? 'an object' : String(value);
}
