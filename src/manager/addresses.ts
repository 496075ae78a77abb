// Where spawned processes listen: loopback and any free port, or a socket file in a folder that only this user can enter.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Address } from '../transport/address.js';

export const LOOPBACK = '127.0.0.1';

export function addressFor(transport: 'unix' | 'tcp' | 'ws', tls: boolean, id: string, folder: () => string): Address {
  if (transport === 'unix') return { kind: 'unix', path: join(folder(), `${id.slice(-10)}.sock`) };
  if (transport === 'tcp') return { kind: tls ? 'tls' : 'tcp', host: LOOPBACK, port: 0 };
  return { kind: tls ? 'wss' : 'ws', host: LOOPBACK, port: 0, path: '/' };
}

/** A new folder with mode 0700, removed at the latest when the program exits. */
export class SocketFolder {
  /** Short: the path of a unix socket has about 100 characters at the most. */
  // Not imported: few programs have such a folder, and every thread loads this file.
  readonly path = mkdtempSync(join(process.getBuiltinModule('node:os').tmpdir(), 'mimas-'));

  constructor() {
    process.once('exit', this.remove);
  }

  readonly remove = (): void => {
    process.off('exit', this.remove);
    rmSync(this.path, { recursive: true, force: true });
  };
}
