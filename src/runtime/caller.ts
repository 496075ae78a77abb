// Whose call this is: the first frame on the stack that is neither this package's nor Node's.
// Invariant: positions are those of the file that runs, not of what a source map says.
import { fileURLToPath } from 'node:url';

/** Of the built package, or of its sources. */
const OWN = new URL('..', import.meta.url);
const DEPTH = 50;

/** The path of the file that called into this package; undefined where there is none, as in a program given by `--eval`. */
export function callerFile(): string | undefined {
  const { prepareStackTrace, stackTraceLimit } = Error;
  let files: (string | null | undefined)[] = [];
  try {
    Error.stackTraceLimit = DEPTH;
    Error.prepareStackTrace = (_, sites) => sites.map((site) => site.getFileName());
    files = new Error('caller').stack as unknown as typeof files;
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
    Error.stackTraceLimit = stackTraceLimit;
  }
  for (const file of Array.isArray(files) ? files : []) {
    const path = file && pathOf(file);
    if (path && !path.startsWith(fileURLToPath(OWN))) return path;
  }
  return undefined;
}

function pathOf(file: string): string | undefined {
  if (file.startsWith('file:')) return fileURLToPath(file);
  return /^(?:[a-z][a-z\d+.-]+:|\[|evalmachine|<)/i.test(file) ? undefined : file;
}
