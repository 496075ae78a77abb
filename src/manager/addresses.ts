// Where spawned processes listen: loopback and any free port, or a socket file in a folder that only this user can enter.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeLeavable, sweepLeftFolders } from '../runtime/left-folders.js';
import type { Address } from '../transport/address.js';

export const LOOPBACK = '127.0.0.1';

export function addressFor(transport: 'unix' | 'tcp' | 'ws', tls: boolean, id: string, folder: () => string): Address {
  if (transport === 'unix') return { kind: 'unix', path: join(folder(), `${id.slice(-10)}.sock`) };
  if (transport === 'tcp') return { kind: tls ? 'tls' : 'tcp', host: LOOPBACK, port: 0 };
  return { kind: tls ? 'wss' : 'ws', host: LOOPBACK, port: 0, path: '/' };
}

/** A new folder with mode 0700, removed at the latest when the program exits; one that is killed leaves it to the next. */
export class SocketFolder {
  readonly path = makeLeavable();

  constructor() {
    process.once('exit', this.remove);
    void sweepLeftFolders();
  }

  readonly remove = (): void => {
    process.off('exit', this.remove);
    rmSync(this.path, { recursive: true, force: true });
  };
}
