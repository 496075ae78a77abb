// What a launcher leaves for its successor: who it is, and each process with pid and start time. One living launcher a folder.
// Invariant: a process that is running is in the folder; a record may outlive its process, and is then recognised as stale.
import { createHash } from 'node:crypto';
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isSame, myself, parseIdentity, type Identity } from '../runtime/identity.js';
import { OWN_FILE, OWN_FOLDER, ownFolder, ownUid } from '../runtime/own-folder.js';
import { LauncherError } from './errors.js';
import type { IsolationLevel } from './ids.js';

export interface ProcessRecord extends Identity {
  readonly id: string;
  /** What marks this start in the environment of the process and of all it starts. */
  readonly launch: string;
  readonly pattern: string;
  readonly level: IsolationLevel;
  readonly namespace: string;
  readonly session: string;
  readonly config: Readonly<Record<string, string>>;
  readonly grpcPort: number;
  readonly healthPort: number;
  readonly startedAt: number;
}

interface Owner extends Identity {
  readonly instance: string;
  /** Who owned the folder before, back to the last graceful end; the latest first. */
  readonly lineage: readonly string[];
}

/** More killed launchers in a row are not remembered. */
const LONGEST_LINEAGE = 100;
const WRITABLE_BY_OTHERS = 0o022;

export class StateFolder {
  readonly path: string;
  /** The instances that owned the folder before and were killed, the latest first. What they started may still run. */
  readonly lineage: readonly string[];
  readonly #instance: string;

  /** @throws LauncherError when another launcher lives in this folder, or it cannot be written */
  constructor(path: string, instance: string) {
    this.path = resolve(path);
    this.#instance = instance;
    try {
      mkdirSync(this.path, { recursive: true, mode: OWN_FOLDER });
      this.#refuseForeign();
      for (const folder of [this.#processes, this.logs]) ownFolder(folder, 'correct it with chmod 700, or give another state folder');
      this.lineage = this.#takePossession();
    } catch (error) {
      if (error instanceof LauncherError) throw error;
      throw new LauncherError('INVALID_CONFIGURATION', `state folder ${this.path} cannot be used: ${(error as Error).message}`, { context: { stateDir: this.path }, suggestion: 'Give a folder that can be written', cause: error });
    }
  }

  /** Where the token is kept that callers show, so that the next launcher asks for the same one. */
  get tokenFile(): string {
    return join(this.path, 'token');
  }

  get logs(): string {
    return join(this.path, 'logs');
  }

  /** Where the output of a process goes that is to survive its launcher. */
  logFile(id: string): string {
    // No two ids share one.
    const name = encodeURIComponent(id);
    return join(this.logs, `${name.length <= 200 ? name : createHash('sha256').update(id).digest('hex')}.log`);
  }

  get #processes(): string {
    return join(this.path, 'processes');
  }

  get #lock(): string {
    return join(this.path, 'launcher.json');
  }

  put(record: ProcessRecord): void {
    const file = this.#file(record.launch);
    // In one step: who reads sees all of it or nothing.
    writeFileSync(`${file}.tmp`, JSON.stringify(record), { mode: OWN_FILE });
    renameSync(`${file}.tmp`, file);
  }

  remove(launch: string): void {
    rmSync(this.#file(launch), { force: true });
  }

  /** All that is recorded. What cannot be read is dropped: nothing can be proved by it. */
  records(): ProcessRecord[] {
    return readdirSync(this.#processes).flatMap((name) => {
      const file = join(this.#processes, name);
      const parsed = parse(file);
      // Under its own name, or it could not be removed by that.
      const record = parsed && this.#file(parsed.launch) === file ? parsed : undefined;
      if (!record) rmSync(file, { force: true });
      return record ? [record] : [];
    });
  }

  /** Gives the folder up, if it is still this launcher's. */
  close(): void {
    if (ownerIn(this.#lock)?.instance === this.#instance) rmSync(this.#lock, { force: true });
  }

  /** Of several launchers that come at once, one gets it: a link is made by one only. Answers its lineage. */
  #takePossession(): string[] {
    const mine = `${this.#lock}.${this.#instance}`;
    const aside = `${mine}.old`;
    let lineage: string[] = [];
    try {
      for (;;) {
        writeFileSync(mine, JSON.stringify({ ...myself(), instance: this.#instance, lineage } satisfies Owner), { mode: OWN_FILE });
        try {
          linkSync(mine, this.#lock);
          return lineage;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        }
        this.#refuseLiving(ownerIn(this.#lock));
        try {
          renameSync(this.#lock, aside);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
          throw error;
        }
        // Between the look and the move somebody else may have come: theirs goes back.
        const moved = ownerIn(aside);
        if (moved && isSame(moved)) linkSync(aside, this.#lock);
        this.#refuseLiving(moved);
        if (moved) lineage = [moved.instance, ...moved.lineage].slice(0, LONGEST_LINEAGE);
      }
    } finally {
      for (const file of [mine, aside]) rmSync(file, { force: true });
    }
  }

  /** Whoever can write here could tell this launcher what to start. */
  #refuseForeign(): void {
    const { uid, mode } = statSync(this.path);
    if (process.platform === 'win32' || (uid === ownUid() && (mode & WRITABLE_BY_OTHERS) === 0)) return;
    throw new LauncherError('INVALID_CONFIGURATION', `state folder ${this.path} can be written by others (mode ${(mode & 0o777).toString(8).padStart(4, '0')})`, { context: { stateDir: this.path }, suggestion: 'Give a folder of this user alone: chmod 700' });
  }

  #refuseLiving(owner: Owner | undefined): void {
    if (!owner || !isSame(owner)) return;
    throw new LauncherError('INVALID_CONFIGURATION', `state folder ${this.path} belongs to a running launcher (pid ${owner.pid})`, { context: { stateDir: this.path, pid: owner.pid }, suggestion: 'Give each launcher a state folder of its own' });
  }

  #file(launch: string): string {
    return join(this.#processes, `${launch.replace(/[^\w-]/g, '_')}.json`);
  }
}

function ownerIn(file: string): Owner | undefined {
  try {
    const text = readFileSync(file, 'utf8');
    const identity = parseIdentity(text);
    const { instance, lineage } = JSON.parse(text) as Partial<Owner>;
    return identity && { ...identity, instance: String(instance), lineage: Array.isArray(lineage) ? lineage.map(String) : [] };
  } catch {
    return undefined;
  }
}

function parse(file: string): ProcessRecord | undefined {
  try {
    const text = readFileSync(file, 'utf8');
    const record = JSON.parse(text) as ProcessRecord;
    return parseIdentity(text) && ['id', 'launch', 'pattern', 'level', 'namespace', 'session'].every((key) => typeof record[key as keyof ProcessRecord] === 'string') && typeof record.config === 'object' && record.config !== null && [record.grpcPort, record.healthPort, record.startedAt].every(Number.isFinite) ? record : undefined;
  } catch {
    return undefined;
  }
}
