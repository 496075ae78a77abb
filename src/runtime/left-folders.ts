// Folders in the temporary one that a program removes at its end, and what a killed one has left of them.
// Invariant: a folder's name is the proof of whose it is, so it has one from its first moment on; removed is only what is this
// user's own, whose program has ended, and that flat: no link is followed, nothing below a subfolder is touched.
import { lstatSync, mkdtempSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidOptionError } from '../errors.js';
import { isSame, myself } from './identity.js';
import { ownUid } from './own-folder.js';

const PREFIX = 'mimas-';
const NAME = /^mimas-([0-9a-z]+)-([0-9a-z]+)-([0-9a-f]{8})-([0-9a-f]{8})-[0-9A-Za-z]{6}$/;
const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;

// Not imported: few programs have such a folder, and every thread loads this file.
const temporaryFolder = (): string => process.getBuiltinModule('node:os').tmpdir();

let here: string | undefined;
/** This machine and its numbering of processes: a pid of another container that shares the folder is another's. */
function place(): string {
  return (here ??= process.getBuiltinModule('node:crypto').createHash('sha256').update(`${process.getBuiltinModule('node:os').hostname()} ${readlinkSync('/proc/self/ns/pid')}`).digest('hex').slice(0, 8));
}

/** What stands for a name that is still to be drawn. */
const DRAWN = 'XXXXXX';

/**
 * A new folder with mode 0700. `check` is given its path, as long as it will be, before it is made.
 * @throws InvalidOptionError when the temporary folder is not there, or closed to this user; what `check` throws
 */
export function makeLeavable(parent = temporaryFolder(), check?: (path: string) => void): string {
  const prefix = join(parent, `${PREFIX}${mark()}`);
  check?.(prefix + DRAWN);
  try {
    return mkdtempSync(prefix);
  } catch (error) {
    throw new InvalidOptionError(`TMPDIR: no folder can be made in ${parent}: ${(error as Error).message}; set TMPDIR to one where it can`, { option: 'TMPDIR', cause: error });
  }
}

/** Pid and start, in few characters; empty where there is no `/proc`, and then nobody ever sweeps it. */
function mark(): string {
  const { pid, startTicks, boot } = myself();
  try {
    return startTicks === '' ? '' : `${pid.toString(36)}-${Number(startTicks).toString(36)}-${boot.slice(0, 8)}-${place()}-`;
  } catch {
    return '';
  }
}

/** Removes what ended programs of this user have left. Answers the folders; never rejects. */
export async function sweepLeftFolders(parent = temporaryFolder()): Promise<string[]> {
  const swept: string[] = [];
  try {
    // Where anybody may rename what is ours, a path proves nothing.
    const { mode, uid } = statSync(parent);
    if ((uid !== 0 && uid !== ownUid()) || ((mode & WRITABLE_BY_OTHERS) !== 0 && (mode & STICKY) === 0)) return swept;
    const { readdir } = process.getBuiltinModule('node:fs').promises;
    for (const name of await readdir(parent)) if (name.startsWith(PREFIX) && isLeft(parent, name) && (await removeFlat(join(parent, name)))) swept.push(join(parent, name));
  } catch {
    // The next one tries again.
  }
  return swept;
}

function isLeft(parent: string, name: string): boolean {
  const [, pid, ticks, boot, where] = NAME.exec(name) ?? [];
  if (pid === undefined || ticks === undefined || where !== place()) return false;
  const mine = myself();
  const lives = boot === mine.boot.slice(0, 8) && isSame({ pid: Number.parseInt(pid, 36), startTicks: String(Number.parseInt(ticks, 36)), boot: mine.boot });
  if (lives) return false;
  const found = lstatSync(join(parent, name), { throwIfNoEntry: false });
  return found !== undefined && found.isDirectory() && found.uid === ownUid();
}

/** False when something is in it that does not belong there, or somebody else was faster. */
async function removeFlat(folder: string): Promise<boolean> {
  const { readdir, rmdir, unlink } = process.getBuiltinModule('node:fs').promises;
  try {
    for (const name of await readdir(folder)) {
      await unlink(join(folder, name)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    }
    await rmdir(folder);
    return true;
  } catch {
    return false;
  }
}
