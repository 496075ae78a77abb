// Where spawned processes listen: loopback and any free port, or a socket file in a folder that only this user can enter.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeLeavable, sweepLeftFolders } from '../runtime/left-folders.js';
import { checkSocketPath, type Address } from '../transport/address.js';

export const LOOPBACK = '127.0.0.1';
/** Of an id, in the name of its sockets. */
const ID_CHARACTERS = 10;
/** A process may be started so often. */
const LONGEST_NAME = 'x'.repeat(ID_CHARACTERS) + '-999999.sock';

export function addressFor(transport: 'unix' | 'tcp' | 'ws', tls: boolean, socketPath: () => string): Address {
  if (transport === 'unix') return { kind: 'unix', path: socketPath() };
  if (transport === 'tcp') return { kind: tls ? 'tls' : 'tcp', host: LOOPBACK, port: 0 };
  return { kind: tls ? 'wss' : 'ws', host: LOOPBACK, port: 0, path: '/' };
}

/** A new folder with mode 0700, removed at the latest when the program exits; one that is killed leaves it to the next. */
export class SocketFolder {
  readonly path = makeLeavable(undefined, (path) => void checkSocketPath(join(path, LONGEST_NAME), 'TMPDIR', "the sockets of transport 'unix' are in a folder there; set TMPDIR to a shorter one"));

  /** The last socket of each process, with its number. */
  readonly #sockets = new Map<string, { number: number; path: string }>();

  constructor() {
    process.once('exit', this.remove);
    void sweepLeftFolders();
  }

  /** For the next incarnation of a process. A new one each time: a thread that was given up may hold its own, and takes it along when it ends. */
  socketFor(id: string): string {
    const before = this.#sockets.get(id);
    if (before) rmSync(before.path, { force: true });
    const number = (before?.number ?? 0) + 1;
    const path = join(this.path, `${id.slice(-ID_CHARACTERS)}-${number}.sock`);
    this.#sockets.set(id, { number, path });
    return path;
  }

  readonly remove = (): void => {
    process.off('exit', this.remove);
    rmSync(this.path, { recursive: true, force: true });
  };
}
