// From text to a YAML document in a time that the size of the text bounds, however the text was made.
// Invariant: never throws; a document without faults is one document, of bounded depth, whose aliases are not resolved yet.
import { Composer, Lexer, LineCounter, Parser, type CST, type Document } from 'yaml';

export interface Fault {
  readonly offset: number;
  readonly message: string;
}

export interface Composed {
  /** Undefined: it was given up; `faults` says why. */
  readonly document: Document.Parsed | undefined;
  readonly faults: readonly Fault[];
  readonly lines: LineCounter;
}

/** The parser takes some 4 µs for each on a slow machine. */
const MOST_TOKENS = 200_000;
/** Of collections in collections. What walks along a document calls itself for each. */
export const DEEPEST = 100;

/** Said of a second document. */
export const SEVERAL = 'one document is expected, this file holds several';

class GivenUp extends Error {}

/** `merge`: `<<` takes in other maps. */
export function composeYaml(source: string, { merge }: { merge: boolean }): Composed {
  const lines = new LineCounter();
  const at = { offset: 0 };
  try {
    const composer = new Composer({ prettyErrors: false, logLevel: 'silent', merge, uniqueKeys: false });
    const [document, another] = take2(composer.compose(tokensOf(source, lines, at), true, source.length));
    const faults = document!.errors.map(({ pos, message }): Fault => ({ offset: pos[0], message: message.split('\n')[0]! }));
    if (another) faults.push({ offset: another.range[0], message: SEVERAL });
    return { document, faults, lines };
  } catch (error) {
    return { document: undefined, faults: [{ offset: at.offset, message: (error as Error).message }], lines };
  }
}

function take2<T>(items: Generator<T>): T[] {
  const taken: T[] = [];
  for (const item of items) if (taken.push(item) === 2) break;
  return taken;
}

function* tokensOf(source: string, lines: LineCounter, at: { offset: number }): Generator<CST.Token> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  for (const lexeme of lexemesOf(source)) {
    at.offset = parser.offset;
    yield* parser.next(lexeme);
    if (parser.stack.length > DEEPEST) throw new GivenUp(`nested deeper than ${DEEPEST} levels`);
  }
  yield* parser.end();
}

/** All of them before the first is looked at: to count costs a tenth of what the rest does. */
function lexemesOf(source: string): string[] {
  const lexemes: string[] = [];
  for (const lexeme of new Lexer().lex(source)) {
    if (lexemes.push(lexeme) > MOST_TOKENS) throw new GivenUp(`there is more in this file than is read: ${MOST_TOKENS} words and signs`);
  }
  return lexemes;
}

/** Runs `work` with errors that know no stack: their traces are most of what a file full of faults costs. */
export function withoutTraces<T>(work: () => T): T {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = before;
  }
}
