// Regular expressions of users, matched in a time that grows with the text alone: by RE2, which never goes back. What RE2 cannot
// do is refused by name. The engine is loaded with the first pattern.
import { createRequire } from 'node:module';
import { stripVTControlCharacters } from 'node:util';
import { shortened } from '../printable.js';

export interface LinePattern {
  /** Whether it matches somewhere in the first `LOOKED_AT` characters, with what colours them or without; what is longer does not end there. */
  test(line: string): boolean;
  toString(): string;
}

export const LONGEST_PATTERN = 1000;
/** Of one line: as much as one read of a component's output brings. */
export const LOOKED_AT = 16_384;
/** Of all patterns of a file together: the engine takes some 5 µs for each step. */
const MOST_STEPS = 50_000;
/** What a pattern costs, however short. */
const LEAST_STEPS = 50;

/** Outside of classes, escapes of other things skipped. */
const BEYOND = /\\[1-9]|\\k<|\\.|\[(?:\\.|[^\]\\])*\]|\(\?(?:<?[=!])/gs;
const NAMES: readonly (readonly [start: string, name: string])[] = [['(?<', 'lookbehind'], ['(?', 'lookahead'], ['\\k', 'a reference to a group'], ['\\', 'a reference to a group']];

/** Compiles patterns, of one file say, the same one once. */
export class LinePatterns {
  readonly #known = new Map<string, LinePattern>();
  #steps = 0;

  /** @throws Error that says what is wrong with it */
  compile(pattern: string): LinePattern {
    const known = this.#known.get(pattern);
    if (known) return known;
    if (this.#steps > MOST_STEPS) throw new Error(`the patterns of all components are more than can be compiled: ${MOST_STEPS} steps`);
    const { compiled, steps } = compile(pattern);
    this.#steps += steps + LEAST_STEPS;
    this.#known.set(pattern, compiled);
    return compiled;
  }
}

/** @throws Error that says what is wrong with it */
export const linePattern = (pattern: string): LinePattern => compile(pattern).compiled;

function compile(pattern: string): { compiled: LinePattern; steps: number } {
  if (pattern.length > LONGEST_PATTERN) throw new Error(`a pattern has at most ${LONGEST_PATTERN} characters, this one ${pattern.length}`);
  refuseBeyond(pattern);
  const { RE2JS } = createRequire(import.meta.url)('re2js') as typeof import('re2js');
  let program: InstanceType<typeof RE2JS>;
  try {
    program = RE2JS.compile(RE2JS.translateRegExp(pattern));
  } catch (error) {
    throw new Error(`not a pattern: ${(error as Error).message.replace(/^error parsing regexp: /, '')}`, { cause: error });
  }
  const matches = (line: string): boolean => program.test(shortened(line, LOOKED_AT));
  return { compiled: { test: (line) => matches(line) || (line.includes('\u001B') && matches(stripVTControlCharacters(shortened(line, LOOKED_AT)))), toString: () => `/${pattern}/` }, steps: program.programSize() };
}

function refuseBeyond(pattern: string): void {
  for (const [found] of pattern.matchAll(BEYOND)) {
    if (found.startsWith('[') || /^\\[^1-9k]/.test(found) || found === '\\k') continue;
    const name = NAMES.find(([start]) => found.startsWith(start))![1];
    throw new Error(`${found}: ${name} cannot be matched in bounded time; patterns are those of RE2`);
  }
}
