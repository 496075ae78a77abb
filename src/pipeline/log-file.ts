// The log of one component on disk: appended line by line, rotated by size, written behind the component's back.
// Invariants: a slow disk, or one that refuses, costs lines (counted in the file), never memory or the component's time; what components print is for
// this user's eyes only.
import { readFileSync, type Stats } from 'node:fs';
import { mkdir, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { OWN_FILE, OWN_FOLDER } from '../runtime/own-folder.js';

const MOST_WAITING = 4 * 1024 ** 2;

export interface Rotation {
  /** Bytes of one file. */
  readonly maxSize: number;
  /** Kept besides the current one, as `name.1` (the newest) and so on. */
  readonly maxFiles: number;
}

const FIRST_RETRY_MS = 200;
const LONGEST_RETRY_MS = 5_000;

export class LogFile {
  #waiting: string[] = [];
  /** What the disk has not taken yet of what was taken out of `#waiting`. */
  #rest: Buffer | undefined;
  #waitingBytes = 0;
  #dropped = 0;
  #work: Promise<void> | undefined;
  #handle: FileHandle | undefined;
  #identity = '';
  #size = 0;
  #closed = false;
  /** Since the disk has refused; it is tried again. */
  #trouble: Error | undefined;
  #retry: NodeJS.Timeout | undefined;
  #delay = FIRST_RETRY_MS;

  constructor(
    readonly path: string,
    /** Asked for each time: a new version of the pipeline may bring another. */
    private readonly rotation: () => Rotation,
    /** Hears that it cannot be written, and that it can be again. */
    private readonly onTrouble: (message: string) => void = (message) => process.emitWarning(message, 'MimasWarning'),
  ) {}

  write(line: string): void {
    if (this.#closed) return;
    if (this.#waitingBytes > MOST_WAITING) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(`${line}\n`);
    this.#waitingBytes += line.length + 1;
    if (!this.#retry) this.#work ??= this.#drain();
  }

  /** Resolves when all lines so far are in the file, or the disk has refused them. */
  async flush(): Promise<void> {
    while (this.#work) await this.#work;
  }

  /** The last lines that were written, of older files as well; what comes after this call's promise resolves is not among them. */
  async tail(count: number): Promise<string[]> {
    await this.flush();
    // From here on in one go: a line that comes now is heard of as an event.
    let lines = [...linesOf(this.#rest?.toString() ?? ''), ...linesOf(this.#waiting.join(''))];
    for (let n = 0; lines.length < count && n <= this.rotation().maxFiles; n++) {
      const older = textOf(n === 0 ? this.path : `${this.path}.${n}`);
      // Just after a rotation there is no current one.
      if (older === undefined && n > 0) break;
      lines = [...linesOf(older ?? ''), ...lines];
    }
    return count === 0 ? [] : lines.slice(-count);
  }

  /** What the disk refuses even now is lost, and told. */
  async close(): Promise<void> {
    await this.flush();
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#closed = true;
    if (this.#trouble) await (this.#work = this.#drain());
    const lost = this.#waiting.length + this.#dropped + (this.#rest ? 1 : 0);
    if (this.#trouble && lost > 0) this.onTrouble(`the last ${lost} lines of the log ${this.path} are lost: ${this.#trouble.message}`);
    await this.#handle?.close().catch(() => {});
    this.#handle = undefined;
  }

  async #drain(): Promise<void> {
    try {
      // Lines that arrive in one go are written in one go.
      await new Promise((resolve) => setImmediate(resolve));
      while (this.#rest || this.#waiting.length > 0) await this.#writeSome();
      if (this.#trouble) this.onTrouble(`the log ${this.path} is written again`);
      this.#trouble = undefined;
      this.#delay = FIRST_RETRY_MS;
    } catch (error) {
      this.#later(error as Error);
    } finally {
      this.#work = undefined;
    }
  }

  #later(error: Error): void {
    if (!this.#trouble) this.onTrouble(`the log ${this.path} cannot be written: ${error.message}; it is tried again`);
    this.#trouble = error;
    void this.#handle?.close().catch(() => {});
    this.#handle = undefined;
    if (this.#closed) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#work ??= this.#drain();
    }, this.#delay);
    this.#retry.unref();
    this.#delay = Math.min(LONGEST_RETRY_MS, 2 * this.#delay);
  }

  async #writeSome(): Promise<void> {
    const handle = await this.#current();
    if (this.#dropped > 0) {
      this.#waiting.push(`… ${this.#dropped} lines were dropped: ${this.#trouble ? 'the log could not be written' : 'the disk is too slow'}\n`);
      this.#dropped = 0;
    }
    const { maxSize } = this.rotation();
    if (!this.#rest) {
      let text = '';
      while (this.#waiting.length > 0 && (text === '' || this.#size + text.length < maxSize)) text += this.#waiting.shift()!;
      this.#rest = Buffer.from(text);
      this.#waitingBytes = this.#waiting.reduce((sum, line) => sum + line.length, 0);
    }
    // A full disk takes a part.
    while (this.#rest.length > 0) {
      const { bytesWritten } = await handle.write(this.#rest);
      this.#rest = this.#rest.subarray(bytesWritten);
      this.#size += bytesWritten;
    }
    this.#rest = undefined;
    if (this.#size >= maxSize) await this.#rotate();
  }

  /** The file of this name, also when somebody has removed or replaced it. */
  async #current(): Promise<FileHandle> {
    if (this.#handle && (await identityAt(this.path)) === this.#identity) return this.#handle;
    await this.#handle?.close();
    this.#handle = undefined;
    return (this.#handle = await this.#open());
  }

  async #open(): Promise<FileHandle> {
    await mkdir(dirname(this.path), { recursive: true, mode: OWN_FOLDER });
    const handle = await open(this.path, 'a', OWN_FILE);
    const found = await handle.stat();
    this.#size = found.isFile() ? found.size : 0;
    this.#identity = identityOf(found);
    // One that was there already has the mode that it was made with; a device or a pipe in its place keeps its own.
    if (found.isFile()) await handle.chmod(OWN_FILE).catch(() => {});
    return handle;
  }

  async #rotate(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
    const { maxFiles } = this.rotation();
    if (maxFiles === 0) return void (await rm(this.path, { force: true }));
    for (let n = maxFiles - 1; n >= 1; n--) await rename(`${this.path}.${n}`, `${this.path}.${n + 1}`).catch(() => {});
    await rename(this.path, `${this.path}.1`);
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

const linesOf = (text: string): string[] => text.split('\n').slice(0, -1);
const identityOf = ({ dev, ino }: Stats): string => `${dev}/${ino}`;
const identityAt = (path: string): Promise<string | undefined> => stat(path).then(identityOf, () => undefined);
