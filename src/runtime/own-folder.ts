// Folders of this user alone. Invariant: nothing is read from or written to one that somebody else owns, can enter, or has put a
// link in the place of.
import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UnauthorizedError } from '../errors.js';

/** Modes of what only its owner may enter, and read. */
export const OWN_FOLDER = 0o700;
export const OWN_FILE = 0o600;
/** Bits of a mode that let others in. */
const OTHERS = 0o077;

/** The user of this program; 0 where there are none. */
export const ownUid = (): number => process.getuid?.() ?? 0;

/** Makes the folder where there is none. `remedy` says what to do about one that is refused. @throws UnauthorizedError when that cannot be, or others could enter it */
export function ownFolder(folder: string, remedy: string): string {
  try {
    mkdirSync(folder, { recursive: true, mode: OWN_FOLDER });
  } catch (error) {
    throw new UnauthorizedError(`${folder} cannot be made: ${(error as Error).message}; ${remedy}`, { cause: error });
  }
  const found = lstatSync(folder);
  if (!found.isDirectory() || (process.platform !== 'win32' && (found.uid !== ownUid() || (found.mode & OTHERS) !== 0))) {
    throw new UnauthorizedError(`${folder} is not a folder of this user alone (mode 0700); ${remedy}`);
  }
  return folder;
}

/** Where what runs here is found: `MIMAS_RUNTIME_DIR`, else a folder under `XDG_RUNTIME_DIR`, else one of this user's in the temporary folder. @throws UnauthorizedError */
export function runtimeFolder(env: NodeJS.ProcessEnv = process.env): string {
  const folder = env['MIMAS_RUNTIME_DIR'] ?? (env['XDG_RUNTIME_DIR'] ? join(env['XDG_RUNTIME_DIR'], 'mimas') : join(tmpdir(), `mimas-${ownUid()}`));
  return ownFolder(folder, 'set MIMAS_RUNTIME_DIR to one that is');
}
