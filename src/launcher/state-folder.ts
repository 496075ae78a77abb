// What a launcher leaves for its successor: who it is, and each process with pid and start time. One living launcher a folder.
// Invariant: a process that is running is in the folder; a record may outlive its process, and is then recognised as stale.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { LauncherError } from './errors.js';
import { isSame, myself, parseIdentity, type Identity } from './identity.js';
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

interface Owner extends Identity { readonly instance: string }

export class StateFolder {
  readonly path: string;
  /** The instance that owned the folder before, if there was one. */
  readonly predecessor: string | undefined;

  /** @throws LauncherError when another launcher lives in this folder */
  constructor(path: string, instance: string) {
    this.path = resolve(path);
    mkdirSync(this.#processes, { recursive: true, mode: 0o700 });
    mkdirSync(this.logs, { recursive: true, mode: 0o700 });
    const before = this.#owner();
    if (before && isSame(before) && before.instance !== instance) {
      throw new LauncherError('INVALID_CONFIGURATION', `state folder ${this.path} belongs to a running launcher (pid ${before.pid})`, { context: { stateDir: this.path, pid: before.pid }, suggestion: 'Give each launcher a state folder of its own' });
    }
    this.predecessor = before?.instance;
    write(join(this.path, 'launcher.json'), { ...myself(), instance } satisfies Owner);
  }

  get logs(): string {
    return join(this.path, 'logs');
  }

  get #processes(): string {
    return join(this.path, 'processes');
  }

  put(record: ProcessRecord): void {
    write(this.#file(record.launch), record);
  }

  remove(launch: string): void {
    rmSync(this.#file(launch), { force: true });
  }

  /** All that is recorded. What cannot be read is dropped: nothing can be proved by it. */
  records(): ProcessRecord[] {
    return readdirSync(this.#processes).filter((name) => name.endsWith('.json')).flatMap((name) => {
      const file = join(this.#processes, name);
      const parsed = parse(file);
      // Under its own name, or it could not be removed by that.
      const record = parsed && this.#file(parsed.launch) === file ? parsed : undefined;
      if (!record) rmSync(file, { force: true });
      return record ? [record] : [];
    });
  }

  /** Gives the folder up. */
  close(): void {
    rmSync(join(this.path, 'launcher.json'), { force: true });
  }

  #owner(): Owner | undefined {
    try {
      const text = readFileSync(join(this.path, 'launcher.json'), 'utf8');
      const identity = parseIdentity(text);
      return identity && { ...identity, instance: String((JSON.parse(text) as Owner).instance) };
    } catch {
      return undefined;
    }
  }

  #file(launch: string): string {
    return join(this.#processes, `${launch.replace(/[^\w-]/g, '_')}.json`);
  }
}

/** In one step: who reads sees the old or the new, never half of it. */
function write(file: string, value: object): void {
  writeFileSync(`${file}.tmp`, JSON.stringify(value), { mode: 0o600 });
  renameSync(`${file}.tmp`, file);
}

function parse(file: string): ProcessRecord | undefined {
  try {
    const text = readFileSync(file, 'utf8');
    const record = JSON.parse(text) as ProcessRecord;
    return parseIdentity(text) && typeof record.id === 'string' && typeof record.launch === 'string' && typeof record.pattern === 'string' ? record : undefined;
  } catch {
    return undefined;
  }
}
