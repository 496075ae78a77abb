// Whose decorators a file has. Mimas' own mean the same under both proposals, so a file with no others needs no second compiler.
// Invariant: of a file that was lowered as one with legacy decorators, undefined is said only when nothing else would come of it as
// one with standard decorators.

/** Strings, templates, comments and regular expressions in one piece, all else piece by piece. As oxc prints, so that a division has an operand before it. */
const TOKENS = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|\/\*.*?\*\/|\/\/[^\n]*|(?<=[(,=:[!&|?{};]\s*)\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/\w*|[\p{L}\p{N}_$]+|\s+|./gsu;
const LITERAL = /^(?:["'`]|\/[^]|\s)/;
const HELPER = /^import ([\w$]+) from "@oxc-project\/runtime\/helpers\/decorate";$/m;
const OWN_IMPORT = /^import (\{[^}]*\}|\* as [\w$]+) from "mimas(?:\/[\w-]+)?";$/gm;
/** What oxc makes of a decorated private member, which legacy decorators know nothing of. */
const PRIVATE = /\], [\w$.]+, "", /;

/** The first decorator that is not Mimas' own, in code that oxc lowered without metadata; `''` where it has no name. */
export function foreignDecorator(lowered: string): string | undefined {
  const helper = HELPER.exec(lowered)?.[1];
  const tokens = (lowered.match(TOKENS) ?? []).filter((token) => !LITERAL.test(token));
  const left = tokens.indexOf('@');
  // Of a class in an expression, which stays as it is.
  if (left >= 0) return nameAt(tokens, left + 1);
  if (helper === undefined) return undefined;
  if (PRIVATE.test(lowered)) return '';
  const own = ownNames(lowered);
  for (let at = 0; at < tokens.length; at++) {
    if (tokens[at] === helper && tokens[at + 1] === '(' && tokens[at + 2] === '[') {
      const foreign = elements(tokens, at + 3).find((start) => !own.has(tokens[start]!));
      if (foreign !== undefined) return nameAt(tokens, foreign);
    }
  }
  return undefined;
}

/** Where the elements of a list begin, whose first token is at `start`. */
function elements(tokens: readonly string[], start: number): number[] {
  const starts = [start];
  for (let at = start, depth = 0; at < tokens.length && depth >= 0; at++) {
    if ('([{'.includes(tokens[at]!)) depth++;
    else if (')]}'.includes(tokens[at]!)) depth--;
    else if (tokens[at] === ',' && depth === 0) starts.push(at + 1);
  }
  return starts;
}

const nameAt = (tokens: readonly string[], at: number): string => /^[\p{L}_$].*/u.exec(tokens[at] ?? '')?.[0] ?? '';

function ownNames(lowered: string): Set<string> {
  const names = [...lowered.matchAll(OWN_IMPORT)].flatMap(([, clause]) => clause!.split(','));
  return new Set(names.map((name) => /([\w$]+)\W*$/.exec(name)?.[1] ?? ''));
}
