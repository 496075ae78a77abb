// The flags of Node that processes inherit from this program. Threads have them by themselves; a child is given them.
// Invariant: what belongs to this program alone stays here: its debugger, the code it was given to evaluate, its tests.
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageFile } from './package-file.js';

/** Alone, or with `=value`, or followed by a value. `--env-file`: its variables are in the environment already. */
const OWN = /^(?:-e|-p|-pe|-c|-i|--(?:inspect(?:-.+)?|debug-port|eval|print|check|interactive|input-type|entry-url|test(?:-.+)?|watch(?:-.+)?|run|build-snapshot(?:-config)?|snapshot-blob|(?:experimental|build)-sea.*|prof-process|env-file(?:-if-exists)?))(?:=|$)/;
/** Their next word is code, whatever it begins with. */
const CODE = /^(?:-e|-pe|--eval)$/;
/** They name modules and files as seen from the working directory. */
const MODULES = /^--(?:import|loader|experimental-loader)$/;
const REQUIRED = /^(?:-r|--require)$/;
const FILES = /^--(?:experimental-config-file|openssl-config|policy|tls-keylog|diagnostic-dir|cpu-prof-dir|heap-prof-dir)$/;

/** What a program given by `--eval` hands down makes every thread with a file of its own fail: undefined for one that needs nothing else. */
export const threadFlags: readonly string[] | undefined = process.execArgv.some((flag) => flag.startsWith('--input-type')) ? [] : undefined;

/** The flags for a child in `cwd`, unless it was given its own. */
export function childFlags(cwd: string | undefined, flags: readonly string[] = process.execArgv): string[] {
  const kept: string[] = [];
  for (let at = 0; at < flags.length; at++) {
    const flag = flags[at]!;
    const next = flags[at + 1];
    if (OWN.test(flag)) {
      // In this list nothing stands alone but the value of the flag before it.
      if (!flag.includes('=') && next !== undefined && (CODE.test(flag) || !next.startsWith('-'))) at++;
      continue;
    }
    kept.push(flag);
  }
  return cwd === undefined || resolve(cwd) === process.cwd() ? kept : fromElsewhere(kept);
}

/** The same for who stands in another folder. */
function fromElsewhere(flags: readonly string[]): string[] {
  return flags.map((flag, at) => {
    const equals = flag.indexOf('=');
    if (flag.startsWith('--') && equals > 0) return `${flag.slice(0, equals)}=${absolute(flag.slice(0, equals), flag.slice(equals + 1))}`;
    return flag.startsWith('-') ? flag : absolute(flags[at - 1] ?? '', flag);
  });
}

function absolute(flag: string, value: string): string {
  if (FILES.test(flag)) return resolve(value);
  const required = REQUIRED.test(flag);
  if (!(required || MODULES.test(flag)) || (!required && URL.canParse(value))) return value;
  const here = join(process.cwd(), 'main.js');
  try {
    if (required) return createRequire(here).resolve(value);
  } catch {
    return value;
  }
  const path = value.startsWith('.') || value.startsWith('/') ? resolve(value) : packageFile(value, here)?.path;
  return path === undefined ? value : pathToFileURL(path).href;
}
