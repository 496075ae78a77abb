// The text of a file of variables: `NAME=value` lines, comments, quotes that may go over lines, references to variables before.
// What is not understood is told with its line, never passed over. Each character is looked at once.
import { interpolate, MOST_TEXT, TOO_LONG, type Variables } from './interpolate.js';

export interface EnvTextOptions {
  /** What references mean that the file itself does not say; with `first`, instead of what it says. */
  readonly variables?: Variables;
  readonly first?: boolean;
  onProblem?(line: number, message: string, variable?: string): void;
}

const NAME = /^[A-Za-z_][\w.-]*$/;
const EXPORT = /^export[ \t]+/;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', f: '\f', b: '\b', v: '\v', '"': '"', "'": "'", '\\': '\\', '`': '`', '#': '#', ' ': ' ', '\n': '', $: '$$' };
const QUOTES = `"'\``;

/** The variables of the file, of one that is named twice the last. */
export function parseEnvFile(content: string, options: EnvTextOptions = {}): Record<string, string> {
  return new EnvText(content, options).read();
}

class EnvText {
  readonly #text: string;
  readonly #found = new Map<string, string>();
  #at = 0;
  /** Of all values. */
  #length = 0;
  #line = 1;

  constructor(content: string, private readonly options: EnvTextOptions) {
    this.#text = content.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n');
  }

  read(): Record<string, string> {
    while (this.#at < this.#text.length) this.#readLine();
    return Object.fromEntries(this.#found);
  }

  #readLine(): void {
    const line = this.#line;
    const end = this.#lineEnd();
    const row = this.#text.slice(this.#at, end);
    const equals = row.indexOf('=');
    const name = (equals < 0 ? row : row.slice(0, equals)).trim().replace(EXPORT, '');
    const wrong = row.trim() === '' || row.trimStart().startsWith('#') ? ''
      : !NAME.test(name) ? `'${name.slice(0, 100)}' is not the name of a variable; lines are NAME=value`
      : equals < 0 ? `${name} has no value; write ${name}= for an empty one` : undefined;
    if (wrong !== undefined) {
      if (wrong !== '') this.#complain(line, wrong);
      return this.#skipTo(end);
    }
    this.#at += equals + 1;
    while (this.#text[this.#at] === ' ' || this.#text[this.#at] === '\t') this.#at++;
    const quote = this.#text[this.#at];
    const value = quote !== undefined && QUOTES.includes(quote) ? this.#quoted(quote, name) : this.#unquoted(end);
    if (value !== undefined) this.#keep(name, value.literal ? value.text : this.#refer(value.text, line), line);
  }

  #keep(name: string, value: string, line: number): void {
    this.#found.set(name, value);
    if ((this.#length += value.length) <= MOST_TEXT) return;
    this.#complain(line, TOO_LONG);
    this.#at = this.#text.length;
  }

  /** From a quote to its end, which may be many lines on. Undefined when there is none. */
  #quoted(quote: string, name: string): { text: string; literal: boolean } | undefined {
    const begin = this.#line;
    const parts: string[] = [];
    let from = ++this.#at;
    for (; this.#at < this.#text.length && this.#text[this.#at] !== quote; this.#at++) {
      if (this.#text[this.#at] === '\n') this.#line++;
      if (quote !== '"' || this.#text[this.#at] !== '\\') continue;
      const escaped = this.#text[this.#at + 1] ?? '';
      parts.push(this.#text.slice(from, this.#at), ESCAPES[escaped] ?? '');
      if (ESCAPES[escaped] === undefined) this.#complain(this.#line, `\\${escaped} is no escape; write \\\\ for a backslash, or single quotes around the value`);
      if (escaped === '\n') this.#line++;
      from = ++this.#at + 1;
    }
    if (this.#at >= this.#text.length) {
      this.#complain(begin, `the ${quote} that the value of ${name} begins with is not closed`);
      return undefined;
    }
    parts.push(this.#text.slice(from, this.#at++));
    const end = this.#lineEnd();
    const rest = this.#text.slice(this.#at, end).trim();
    if (rest !== '' && !rest.startsWith('#')) this.#complain(this.#line, `${JSON.stringify(rest.slice(0, 40))} stands behind the closing ${quote} of ${name}; put the whole value in quotes`);
    this.#skipTo(end);
    return { text: parts.join(''), literal: quote !== '"' };
  }

  #unquoted(end: number): { text: string; literal: boolean } {
    const raw = this.#text.slice(this.#at, end);
    // Right behind the `=` it is part of the value.
    const comment = raw.startsWith('#') && this.#text[this.#at - 1] === '=' ? commentAt(raw, 1) : commentAt(raw, 0);
    this.#skipTo(end);
    return { text: (comment < 0 ? raw : raw.slice(0, comment)).trim().replaceAll('\\$', '$$$$'), literal: false };
  }

  #refer(text: string, line: number): string {
    if (!text.includes('$')) return text;
    const complain = (message: string, variable?: string) => this.#complain(line, message, variable);
    if (text.includes('$(')) complain('$( ) is not run; single quotes around the value keep the text itself');
    const { variables = {}, first = false } = this.options;
    const own = this.#found;
    const lookUp = (name: string): string | undefined => {
      const given = Object.hasOwn(variables, name) ? variables[name] : undefined;
      return first ? (given ?? own.get(name)) : (own.get(name) ?? given);
    };
    return interpolate(text, lookUp, complain, { bare: true });
  }

  #complain(line: number, message: string, variable?: string): void {
    this.options.onProblem?.(line, message, variable);
  }

  #lineEnd(): number {
    const end = this.#text.indexOf('\n', this.#at);
    return end < 0 ? this.#text.length : end;
  }

  #skipTo(end: number): void {
    this.#at = end + 1;
    this.#line++;
  }
}

/** A `#` that begins a comment: the first, or one behind a blank. */
function commentAt(raw: string, from: number): number {
  let at = raw.indexOf('#', from);
  while (at > 0 && raw[at - 1]!.trim() !== '') at = raw.indexOf('#', at + 1);
  return at;
}
