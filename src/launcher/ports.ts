// Ports that are really free and never given out twice: tried by binding, and claimed in a file that other launchers on this
// machine respect for as long as the claimant lives.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { LauncherError } from './errors.js';
import { isSame, myself, parseIdentity } from './identity.js';

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** Where the seed's examples begin. */
export const DEFAULT_RANGE: PortRange = { from: 50051, to: 65535 };
/** Wildcards and loopback, both families: who listens on any of them would clash. */
const HOSTS = ['127.0.0.1', '0.0.0.0', '::'];

export class Ports {
  readonly #mine = new Set<number>();
  readonly #folder: string;

  constructor(private readonly range: PortRange = DEFAULT_RANGE, folder?: string) {
    this.#folder = folder ?? join(tmpdir(), `mimas-ports-${userId()}`);
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
  }

  /** A free port: `preferred` if that is free. It is this launcher's until released. @throws LauncherError PORT_ALLOCATION_FAILED */
  async take(preferred?: number): Promise<number> {
    if (preferred !== undefined && (await this.#try(preferred))) return preferred;
    for (let port = this.range.from; port <= this.range.to; port++) if (await this.#try(port)) return port;
    throw new LauncherError('PORT_ALLOCATION_FAILED', `no free port between ${this.range.from} and ${this.range.to}`, { context: { from: this.range.from, to: this.range.to, taken: this.#mine.size } });
  }

  /** Counts ports that a process already listens on as this launcher's. */
  adopt(ports: readonly number[]): void {
    for (const port of ports) if (!this.#mine.has(port)) this.#claim(port);
  }

  release(...ports: readonly number[]): void {
    for (const port of ports) if (this.#mine.delete(port)) rmSync(this.#file(port), { force: true });
  }

  close(): void {
    this.release(...this.#mine);
  }

  async #try(port: number): Promise<boolean> {
    // The claim first: from here on no other take, here or in another launcher, looks at this port.
    if (this.#mine.has(port) || !this.#claim(port)) return false;
    if (await isFree(port)) return true;
    this.release(port);
    return false;
  }

  #claim(port: number): boolean {
    const file = this.#file(port);
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        writeFileSync(file, JSON.stringify(myself()), { flag: 'wx', mode: 0o600 });
        this.#mine.add(port);
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw new LauncherError('PORT_ALLOCATION_FAILED', `${file}: ${(error as Error).message}`, { cause: error });
        const holder = parseIdentity(readText(file));
        if (holder && isSame(holder)) return false;
        // Its claimant is gone.
        rmSync(file, { force: true });
      }
    }
    return false;
  }

  #file(port: number): string {
    return join(this.#folder, String(port));
  }
}

export async function isFree(port: number): Promise<boolean> {
  for (const host of HOSTS) if (!(await canListen(port, host))) return false;
  return true;
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT'));
    server.listen({ port, host, exclusive: true, ipv6Only: host === '::' }, () => server.close(() => resolve(true)));
  });
}

const readText = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

const userId = (): number => userInfo().uid;
