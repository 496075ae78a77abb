// `${VAR}`, `${VAR:-default}`, `${VAR:?why}`, `${VAR:+instead}` and `$$` in texts. What stands behind the operator may hold references
// again, and counts only when it is needed. A variable without a value is an error, never an empty text.
// Invariant: each character is looked at once, and nothing goes deeper than DEEPEST.
export type Variables = Readonly<Record<string, string | undefined>>;
export type LookUp = (name: string) => string | undefined;
export type OnProblem = (message: string, variable?: string) => void;

/** With dots, as files of variables may have them; a dash is an operator. */
const NAME_IN_BRACES = /[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*/y;
const PLAIN_NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const OPERATOR = /:?[-?+]/y;
const SPECIAL = /[$}]/g;
const DEEPEST = 20;

/** So much may come of a text, or of all texts of a file: a variable stands for as much as somebody likes, as often as there is room for its name. */
export const MOST_TEXT = 4 * 1024 ** 2;
export const TOO_LONG = `variables make this longer than is read: ${MOST_TEXT / 1024 ** 2} MB`;
const SENSELESS = `'\${' begins a reference that does not make sense; write $\${ for the text itself`;

interface Reference {
  readonly name: string;
  /** Undefined: `${VAR}`. */
  readonly operator: string | undefined;
  readonly word: Part[];
}
type Part = string | Reference;

export interface InterpolateOptions {
  /** `$VAR` is a reference as well, as in files of variables. */
  readonly bare?: boolean;
}

/** Replaces references; what cannot be replaced is told to `onProblem`. */
export function interpolate(text: string, variables: Variables | LookUp, onProblem: OnProblem, options: InterpolateOptions = {}): string {
  if (!text.includes('$')) return text;
  const parts = parse(text, onProblem, options);
  if (parts === undefined) return '';
  const lookUp = typeof variables === 'function' ? variables : (name: string) => (Object.hasOwn(variables, name) ? variables[name] : undefined);
  return new Evaluation(lookUp, onProblem, options).valueOf(parts);
}

function parse(text: string, onProblem: OnProblem, { bare = false }: InterpolateOptions): Part[] | undefined {
  const open: Reference[] = [];
  const all: Part[] = [];
  let parts = all;
  let from = 0;
  const close = (next: number) => {
    open.pop();
    parts = open.at(-1)?.word ?? all;
    from = next;
  };
  for (;;) {
    SPECIAL.lastIndex = from;
    let at = SPECIAL.exec(text)?.index ?? -1;
    // What is no reference is passed over, as part of the text.
    while (at >= 0 && (text[at] === '}' ? open.length === 0 : !begins(text, at, bare))) {
      SPECIAL.lastIndex = at + 1;
      at = SPECIAL.exec(text)?.index ?? -1;
    }
    parts.push(text.slice(from, at < 0 ? text.length : at));
    if (at < 0) break;
    if (text[at] === '}') {
      close(at + 1);
      continue;
    }
    const next = text[at + 1];
    if (next === '$') {
      parts.push('$');
      from = at + 2;
      continue;
    }
    const braced = next === '{';
    const start = at + (braced ? 2 : 1);
    const name = match(braced ? NAME_IN_BRACES : PLAIN_NAME, text, start);
    const behind = start + (name?.length ?? 0);
    if (name !== undefined && (!braced || text[behind] === '}')) {
      parts.push({ name, operator: undefined, word: [] });
      from = behind + (braced ? 1 : 0);
      continue;
    }
    const operator = name && match(OPERATOR, text, behind);
    if (name === undefined || operator === undefined) {
      onProblem(SENSELESS);
      parts.push('${');
      from = start;
      continue;
    }
    const reference: Reference = { name, operator, word: [] };
    parts.push(reference);
    open.push(reference);
    if (open.length > DEEPEST) return onProblem(`references are nested deeper than ${DEEPEST} levels`), undefined;
    parts = reference.word;
    from = behind + operator.length;
  }
  if (open.length === 0) return all;
  onProblem(SENSELESS);
  return undefined;
}

/** Whether the dollar at `at` means more than itself. */
function begins(text: string, at: number, bare: boolean): boolean {
  const next = text[at + 1];
  return next === '$' || next === '{' || (bare && match(PLAIN_NAME, text, at + 1) !== undefined);
}

class Evaluation {
  #length = 0;
  #overflown = false;

  constructor(private readonly lookUp: LookUp, private readonly onProblem: OnProblem, private readonly options: InterpolateOptions) {}

  valueOf(parts: readonly Part[]): string {
    const values = parts.map((part) => (typeof part === 'string' ? part : this.#refer(part)));
    return this.#overflown ? '' : values.join('');
  }

  #refer({ name, operator, word }: Reference): string {
    if (this.#overflown) return '';
    const value = this.lookUp(name);
    const there = value !== undefined && !(operator?.startsWith(':') && value === '');
    if (operator?.endsWith('+')) return there ? this.valueOf(word) : '';
    if (there) return this.#count(value);
    if (operator?.endsWith('-')) return this.valueOf(word);
    const why = operator?.endsWith('?') ? this.valueOf(word) : '';
    const itself = this.options.bare ? `'…' around the value keeps the text itself` : `$\${${name}} is the text itself`;
    this.onProblem(why ? `\${${name}}: ${why}` : `variable ${name} is not set; \${${name}:-default} gives a default, ${itself}`, name);
    return '';
  }

  #count(value: string): string {
    if ((this.#length += value.length) <= MOST_TEXT) return value;
    if (!this.#overflown) this.onProblem(TOO_LONG);
    this.#overflown = true;
    return '';
  }
}

function match(sticky: RegExp, text: string, at: number): string | undefined {
  sticky.lastIndex = at;
  return sticky.exec(text)?.[0];
}
