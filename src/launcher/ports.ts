// Ports that are really free and never given out twice: claimed in a folder that other launchers of this user respect for as
// long as the claimant lives, then tried by binding. A claim is a file that names its claimant, so nobody ever removes another's.
import { mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { nanoid } from 'nanoid';
import { isSame, myself, type Identity } from '../runtime/identity.js';
import { OWN_FILE, OWN_FOLDER, ownFolder } from '../runtime/own-folder.js';
import { LauncherError } from './errors.js';

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** Where the ports of launched processes begin. */
export const DEFAULT_RANGE: PortRange = { from: 50051, to: 65535 };
/** Wildcards and loopback, both families: who listens on any of them would clash. */
const HOSTS = ['127.0.0.1', '0.0.0.0', '::'];
/** Two that claim a port at once both step back, so a range may look full for a moment. */
const SCANS = 3;

export class Ports {
  readonly #mine = new Set<number>();
  readonly #folder: string;
  readonly #name = claimName(myself(), nanoid(8));

  constructor(private readonly range: PortRange = DEFAULT_RANGE, folder?: string) {
    this.#folder = folder ?? join(tmpdir(), `mimas-ports-${userInfo().uid}`);
  }

  /** A free port: `preferred` if that is free. It is the caller's until released. @throws LauncherError PORT_ALLOCATION_FAILED */
  async take(preferred?: number): Promise<number> {
    if (preferred !== undefined && (await this.#try(preferred))) return preferred;
    const { from, to } = this.range;
    for (let scan = 0; scan < SCANS; scan++) {
      for (let port = from; port <= to; port++) if (await this.#try(port)) return port;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
    }
    throw new LauncherError('PORT_ALLOCATION_FAILED', `no free port between ${from} and ${to}`, { context: { from, to, taken: this.#mine.size } });
  }

  /** Takes ports on which a process of the caller's listens already; answers those that are the caller's now. */
  adopt(ports: readonly number[]): number[] {
    return ports.filter((port) => !this.#mine.has(port) && this.#claim(port));
  }

  /** Only by whom they were given to. */
  release(ports: readonly number[]): void {
    for (const port of ports) {
      if (!this.#mine.delete(port)) continue;
      rmSync(join(this.#claims(port), this.#name), { force: true });
      removeEmpty(this.#claims(port));
    }
  }

  close(): void {
    this.release([...this.#mine]);
  }

  /** Removes what launchers that were killed have claimed. */
  tidy(): void {
    try {
      for (const port of readdirSync(ownFolder(this.#folder, 'set TMPDIR to another temporary folder'))) {
        const folder = join(this.#folder, port);
        livingIn(folder, readdirSync(folder));
        removeEmpty(folder);
      }
    } catch {
      // Others are at work in it; or it cannot be used, and who takes a port is told so.
    }
  }

  async #try(port: number): Promise<boolean> {
    // The claim first: from here on no other take, here or in another launcher, looks at this port.
    if (this.#mine.has(port) || !this.#claim(port)) return false;
    if (await isFree(port)) return true;
    this.release([port]);
    return false;
  }

  #claim(port: number): boolean {
    const folder = this.#claims(port);
    this.#write(folder);
    this.#mine.add(port);
    // Whoever claims writes first and looks then, so of two at once at least one sees the other.
    if (livingIn(folder, readdirSync(folder).filter((name) => name !== this.#name)).length === 0) return true;
    this.release([port]);
    return false;
  }

  #write(folder: string): void {
    for (let attempt = 0; ; attempt++) {
      try {
        ownFolder(this.#folder, 'set TMPDIR to another temporary folder');
        mkdirSync(folder, { recursive: true, mode: OWN_FOLDER });
        writeFileSync(join(folder, this.#name), '', { mode: OWN_FILE });
        return;
      } catch (error) {
        // Somebody has just removed the folder because it was empty.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT' && attempt < 10) continue;
        throw new LauncherError('PORT_ALLOCATION_FAILED', `ports cannot be claimed: ${(error as Error).message}`, { context: { folder }, suggestion: 'Make the folder writable, or set TMPDIR to one that is', cause: error });
      }
    }
  }

  #claims(port: number): string {
    return join(this.#folder, `port-${port}`);
  }
}

const claimName = ({ pid, startTicks, boot }: Identity, unique: string): string => [pid, startTicks, boot, unique.replaceAll('.', '_')].join('.');

function claimant(name: string): Identity | undefined {
  const [pid, startTicks, boot] = name.split('.');
  return pid && startTicks && boot ? { pid: Number(pid), startTicks, boot } : undefined;
}

/** Those of `claims` whose claimant lives; the others are removed. */
function livingIn(folder: string, claims: readonly string[]): string[] {
  return claims.filter((name) => {
    const holder = claimant(name);
    if (holder && isSame(holder)) return true;
    rmSync(join(folder, name), { force: true });
    return false;
  });
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Others look at it, too.
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
