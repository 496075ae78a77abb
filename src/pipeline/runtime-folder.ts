// Where running pipelines are found: one socket each, in a folder that only this user can enter.
import { readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { InvalidOptionError } from '../errors.js';
import { runtimeFolder } from '../runtime/own-folder.js';

const SUFFIX = '.pipeline.sock';
/** `sun_path` without its last zero: 108 on Linux, 104 elsewhere. */
const LONGEST_SOCKET = process.platform === 'linux' ? 107 : 103;

/** @throws InvalidOptionError when the system cannot make a socket of such a long name */
export function socketOf(name: string, folder = runtimeFolder()): string {
  const path = join(folder, `${name}${SUFFIX}`);
  if (Buffer.byteLength(path) > LONGEST_SOCKET) throw new InvalidOptionError(`${path} is too long for a socket (at most ${LONGEST_SOCKET} bytes); set MIMAS_RUNTIME_DIR to a shorter folder`, { option: 'MIMAS_RUNTIME_DIR' });
  return path;
}

/** Names of the pipelines that run here; sockets that nobody answers at are cleared away. */
export async function runningPipelines(folder = runtimeFolder()): Promise<string[]> {
  const names = readdirSync(folder).flatMap((file) => (file.endsWith(SUFFIX) ? [file.slice(0, -SUFFIX.length)] : []));
  const alive = await Promise.all(names.map((name) => answersAt(socketOf(name, folder))));
  names.forEach((name, i) => alive[i] || rmSync(socketOf(name, folder), { force: true }));
  return names.filter((_, i) => alive[i]);
}

export function answersAt(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}
