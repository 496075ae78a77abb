// Writes docs/errors.md from the table of codes in src/errors.ts. `--check` only compares, for the test.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CALL_ERRORS } from './call-errors.mjs';

const { ERROR_CODES, errorClassOf } = await import('../dist/errors.js');
const path = fileURLToPath(new URL('../docs/errors.md', import.meta.url));

const rows = Object.entries(ERROR_CODES).map(([code, meaning]) => `| \`${code}\` | \`${errorClassOf(code)?.name ?? 'MimasError'}\` | ${meaning.replaceAll('|', '\\|')} |`);
const ends = CALL_ERRORS.map(([, code, when, maybeExecuted]) => `| \`${code}\` | ${when} | \`${maybeExecuted}\` |`);
const text = `# Errors

<!-- Written by scripts/errors-doc.mjs from src/errors.ts; a test compares. -->

Every error that Mimas raises by itself is a \`MimasError\` with a stable \`code\`. \`instanceof\` works with each class below, also
when two copies of the package meet in one program. Fields beside \`code\` say where it happened (\`process\`, \`method\`, \`file\`,
\`phase\`, …).

| code | class | meaning |
|---|---|---|
${rows.join('\n')}

## Whether it may have run

Every error of Mimas that ends a call says in \`maybeExecuted\` whether the method may have begun. \`false\` is a promise: it never did and
never will, so the call can be made again. \`true\` says that nobody knows: the call had been handed to a link. What a call through a lent
proxy says is about the method that the caller named, not about the process that passed it on.

| code | when | \`maybeExecuted\` |
|---|---|---|
${ends.join('\n')}

Where a start fails, calls that waited for it end with \`RESTARTS_EXHAUSTED\` or \`PROCESS_STOPPED\`, and \`cause\` is the
\`PROCESS_START_FAILED\`, \`INIT_FAILED\` or \`UNAUTHORIZED\`. The reason of a signal that aborted is the caller's own object, and is left as it is. Errors of \`spawn\`, \`pool\`, \`connect\` and other
requests that are no calls do not have the field. [How this is shown](reliability.md).

## Errors of methods

Errors that a *method* throws are not in this table: they arrive as what they are. A built-in class, and one that was given to
\`registerErrorClass\`, arrives as itself, with message, \`code\`, \`cause\`, own fields, and a stack that shows both sides: where it was thrown, and who awaited the call, the stream or the callback. Any other
arrives as a \`RemoteError\` that keeps the original's \`name\`, \`code\` and fields. A call that was cancelled rejects with the
signal's own reason, as \`fetch\` does.
`;

if (process.argv.includes('--check')) process.exit(readFileSync(path, 'utf8') === text ? 0 : 1);
writeFileSync(path, text);
