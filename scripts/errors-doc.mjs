// Writes docs/errors.md from the table of codes in src/errors.ts. `--check` only compares, for the test.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const { ERROR_CODES, errorClassOf } = await import('../dist/errors.js');
const path = fileURLToPath(new URL('../docs/errors.md', import.meta.url));

const rows = Object.entries(ERROR_CODES).map(([code, meaning]) => `| \`${code}\` | \`${errorClassOf(code)?.name ?? 'MimasError'}\` | ${meaning.replaceAll('|', '\\|')} |`);
const text = `# Errors

<!-- Written by scripts/errors-doc.mjs from src/errors.ts; a test compares. -->

Every error that Mimas raises by itself is a \`MimasError\` with a stable \`code\`. \`instanceof\` works with each class below, also
when two copies of the package meet in one program. Fields beside \`code\` say where it happened (\`process\`, \`method\`, \`file\`,
\`phase\`, …).

| code | class | meaning |
|---|---|---|
${rows.join('\n')}

Errors that a *method* throws are not in this table: they arrive as what they are. A built-in class, and one that was given to
\`registerErrorClass\`, arrives as itself, with message, \`code\`, \`cause\`, own fields, and a stack that shows both sides: where it was thrown, and who awaited the call, the stream or the callback. Any other
arrives as a \`RemoteError\` that keeps the original's \`name\`, \`code\` and fields. A call that was cancelled rejects with the
signal's own reason, as \`fetch\` does.
`;

if (process.argv.includes('--check')) process.exit(readFileSync(path, 'utf8') === text ? 0 : 1);
writeFileSync(path, text);
