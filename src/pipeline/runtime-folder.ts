// Where running pipelines are found: one socket each, in a folder that only this user can enter.
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { runtimeFolder } from '../runtime/own-folder.js';
import { NO_SOCKETS, refuseOnWindows } from '../runtime/platform.js';
import { checkSocketPath } from '../transport/address.js';

const SUFFIX = '.pipeline.sock';
const YOUNG_MS = 1_000;

/** @throws InvalidOptionError when the system cannot make a socket of such a long name */
export function socketOf(name: string, folder = runtimeFolder()): string {
  refuseOnWindows('a pipeline', NO_SOCKETS, 'run it in WSL or a container');
  return checkSocketPath(join(folder, `${name}${SUFFIX}`), 'MIMAS_RUNTIME_DIR', 'set MIMAS_RUNTIME_DIR to a shorter folder');
}

/** Names of the pipelines that run here; sockets that nobody answers at are cleared away. */
export async function runningPipelines(folder = runtimeFolder()): Promise<string[]> {
  const names = readdirSync(folder).flatMap((file) => (file.endsWith(SUFFIX) ? [file.slice(0, -SUFFIX.length)] : []));
  const alive = await Promise.all(names.map((name) => isInUse(socketOf(name, folder))));
  return names.filter((_, i) => alive[i]);
}

/** Whether somebody answers there. What a killed program has left is removed, but never what another has put in its place meanwhile. */
export async function isInUse(path: string): Promise<boolean> {
  const before = lstatSync(path, { throwIfNoEntry: false });
  if (!before) return false;
  if (await answersAt(path)) return true;
  const now = lstatSync(path, { throwIfNoEntry: false });
  // One that is this young may have been bound and be about to listen.
  if (now && now.ino === before.ino && now.ctimeMs === before.ctimeMs && Date.now() - now.ctimeMs > YOUNG_MS) rmSync(path, { force: true });
  return false;
}

function answersAt(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}
