// `${VAR}`, `${VAR:-default}`, `${VAR:?why}` and `$$` in texts, and the files that variables come from.
// A variable without a value is an error, never an empty text.
export type Variables = Readonly<Record<string, string | undefined>>;

const REFERENCE = /\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?])([^}]*))?\}|\{)/g;

/** Replaces references; what cannot be replaced is told to `onProblem`. */
export function interpolate(text: string, variables: Variables, onProblem: (message: string, variable?: string) => void): string {
  return text.replace(REFERENCE, (match, name: string | undefined, operator: string | undefined, word: string | undefined) => {
    if (match === '$$') return '$';
    if (name === undefined) {
      onProblem(`'\${' begins a reference that does not make sense; write $\${ for the text itself`);
      return match;
    }
    const value = variables[name];
    const missing = value === undefined || (operator?.startsWith(':') && value === '');
    if (!missing) return value;
    if (operator?.endsWith('-')) return word ?? '';
    onProblem(operator?.endsWith('?') && word ? `\${${name}}: ${word}` : `variable ${name} is not set; \${${name}:-default} gives a default, $\${${name}} is the text itself`, name);
    return '';
  });
}

const LINE = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/;

/** The variables of a `.env` file: `NAME=value`, `# comments`, quotes; `\n` in double quotes is a line break. */
export function parseEnvFile(content: string): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const line of content.split(/\r?\n/)) {
    const match = LINE.exec(line);
    if (!match) continue;
    const [, name, raw] = match as unknown as [string, string, string];
    const quoted = /^(?:'([^']*)'|"((?:[^"\\]|\\.)*)")\s*(?:#.*)?$/.exec(raw);
    if (quoted) variables[name] = quoted[1] ?? quoted[2]!.replace(/\\(.)/g, (_, c: string) => ({ n: '\n', t: '\t', r: '\r' })[c] ?? c);
    else variables[name] = raw.replace(/\s+#.*$/, '').trim();
  }
  return variables;
}
