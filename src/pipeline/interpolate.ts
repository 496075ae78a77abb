// `${VAR}`, `${VAR:-default}`, `${VAR:?why}` and `$$` in texts, and the files that variables come from.
// A variable without a value is an error, never an empty text. Both look at each character once: no pattern goes back.
export type Variables = Readonly<Record<string, string | undefined>>;

const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const OPERATOR = /:?[-?]/y;

/** So much may come of a text, or of all texts of a file: a variable stands for as much as somebody likes, as often as there is room for its name. */
export const MOST_TEXT = 4 * 1024 ** 2;
export const TOO_LONG = `variables make this longer than is read: ${MOST_TEXT / 1024 ** 2} MB`;

/** Replaces references; what cannot be replaced is told to `onProblem`. */
export function interpolate(text: string, variables: Variables, onProblem: (message: string, variable?: string) => void): string {
  const parts: string[] = [];
  let length = text.length;
  let from = 0;
  /** There is no `}` from here on. */
  let unclosed = Infinity;
  for (let at = text.indexOf('$'); at >= 0; at = text.indexOf('$', Math.max(from, at + 1))) {
    const next = text[at + 1];
    if (next !== '$' && next !== '{') continue;
    parts.push(text.slice(from, at));
    from = at + 2;
    if (next === '$') {
      parts.push('$');
      continue;
    }
    const name = match(NAME, text, from);
    const operator = name && match(OPERATOR, text, from + name.length);
    const word = from + (name?.length ?? 0) + (operator?.length ?? 0);
    const end = name === undefined || at >= unclosed ? -1 : operator === undefined ? (text[word] === '}' ? word : -1) : text.indexOf('}', word);
    if (operator !== undefined && end < 0) unclosed = Math.min(unclosed, at);
    if (name === undefined || end < 0) {
      onProblem(`'\${' begins a reference that does not make sense; write $\${ for the text itself`);
      parts.push('${');
      continue;
    }
    const value = valueOf({ name, operator, word: text.slice(word, end) }, variables, onProblem);
    parts.push(value);
    from = end + 1;
    if ((length += value.length) <= MOST_TEXT) continue;
    onProblem(TOO_LONG);
    return '';
  }
  return parts.length === 0 ? text : parts.join('') + text.slice(from);
}

function valueOf({ name, operator, word }: { name: string; operator: string | undefined; word: string }, variables: Variables, onProblem: (message: string, variable?: string) => void): string {
  const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
  if (value !== undefined && !(operator?.startsWith(':') && value === '')) return value;
  if (operator?.endsWith('-')) return word;
  onProblem(operator?.endsWith('?') && word ? `\${${name}}: ${word}` : `variable ${name} is not set; \${${name}:-default} gives a default, $\${${name}} is the text itself`, name);
  return '';
}

function match(sticky: RegExp, text: string, at: number): string | undefined {
  sticky.lastIndex = at;
  return sticky.exec(text)?.[0];
}

const EXPORT = /^export\s+/;
const KEY = /^[A-Za-z_][A-Za-z0-9_]*$/;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

/** The variables of a `.env` file: `NAME=value`, `# comments`, quotes; `\n` in double quotes is a line break. */
export function parseEnvFile(content: string): Record<string, string> {
  const variables = new Map<string, string>();
  for (const line of content.split(/\r?\n/)) {
    const equals = line.indexOf('=');
    const name = line.slice(0, Math.max(0, equals)).trim().replace(EXPORT, '');
    if (KEY.test(name)) variables.set(name, envValue(line.slice(equals + 1).trim()));
  }
  return Object.fromEntries(variables);
}

function envValue(raw: string): string {
  const quote = raw[0];
  if (quote === "'" || quote === '"') {
    const end = closing(raw, quote);
    const rest = raw.slice(end + 1).trimStart();
    if (end > 0 && (rest === '' || rest.startsWith('#'))) return quote === "'" ? raw.slice(1, end) : raw.slice(1, end).replace(/\\(.)/g, (_, c: string) => ESCAPES[c] ?? c);
  }
  const comment = commentAt(raw);
  return (comment < 0 ? raw : raw.slice(0, comment)).trim();
}

/** Where the quote that `raw` begins with ends. */
function closing(raw: string, quote: string): number {
  if (quote === "'") return raw.indexOf("'", 1);
  let at = 1;
  while (at < raw.length && raw[at] !== '"') at += raw[at] === '\\' ? 2 : 1;
  return at < raw.length ? at : -1;
}

/** A `#` after a space. */
function commentAt(raw: string): number {
  let at = raw.indexOf('#', 1);
  while (at > 0 && raw[at - 1]!.trim() !== '') at = raw.indexOf('#', at + 1);
  return at;
}
