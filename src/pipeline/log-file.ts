// The log of one component on disk: appended line by line, rotated by size, written behind the component's back.
// Invariants: a slow disk costs lines (counted in the file), never memory or the component's time; what components print is for
// this user's eyes only.
import { readFileSync } from 'node:fs';
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

export class LogFile {
  #waiting: string[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #work: Promise<void> | undefined;
  #handle: FileHandle | undefined;
  #size = 0;
  #closed = false;
  /** The disk has refused; nothing is tried any more. */
  #broken = false;

  constructor(
    readonly path: string,
    /** Asked for each time: a new version of the pipeline may bring another. */
    private readonly rotation: () => Rotation,
  ) {}

  write(line: string): void {
    if (this.#closed || this.#broken) return;
    if (this.#waitingBytes > MOST_WAITING) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(`${line}\n`);
    this.#waitingBytes += line.length + 1;
    this.#work ??= this.#drain();
  }

  /** Resolves when all lines so far are in the file. */
  async flush(): Promise<void> {
    while (this.#work) await this.#work;
  }

  /** The last lines that were written, of older files as well; what comes after this call's promise resolves is not among them. */
  async tail(count: number): Promise<string[]> {
    await this.flush();
    // From here on in one go: a line that comes now is heard of as an event.
    let lines: string[] = [];
    for (let n = 0; lines.length < count && n <= this.rotation().maxFiles; n++) {
      const older = textOf(n === 0 ? this.path : `${this.path}.${n}`);
      // Just after a rotation there is no current one.
      if (older === undefined && n > 0) break;
      lines = [...(older ?? '').split('\n').slice(0, -1), ...lines];
    }
    return count === 0 ? [] : lines.slice(-count);
  }

  async close(): Promise<void> {
    await this.flush();
    this.#closed = true;
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #drain(): Promise<void> {
    try {
      // Lines that arrive in one go are written in one go.
      await new Promise((resolve) => setImmediate(resolve));
      while (this.#waiting.length > 0) await this.#writeSome();
    } catch (error) {
      this.#broken = true;
      this.#waiting = [];
      process.emitWarning(`the log ${this.path} cannot be written: ${(error as Error).message}`, 'MimasWarning');
    } finally {
      this.#work = undefined;
    }
  }

  async #writeSome(): Promise<void> {
    if (this.#dropped > 0) {
      this.#waiting.push(`… ${this.#dropped} lines were dropped: the disk is too slow\n`);
      this.#dropped = 0;
    }
    const handle = (this.#handle ??= await this.#open());
    let text = '';
    const { maxSize } = this.rotation();
    while (this.#waiting.length > 0 && (text === '' || this.#size + text.length < maxSize)) text += this.#waiting.shift()!;
    this.#waitingBytes = this.#waiting.reduce((sum, line) => sum + line.length, 0);
    const bytes = Buffer.from(text);
    await handle.write(bytes);
    this.#size += bytes.length;
    if (this.#size >= maxSize) await this.#rotate();
  }

  async #open(): Promise<FileHandle> {
    await mkdir(dirname(this.path), { recursive: true, mode: OWN_FOLDER });
    this.#size = await stat(this.path).then((found) => found.size, () => 0);
    const handle = await open(this.path, 'a', OWN_FILE);
    // One that was there already has the mode that it was made with; a device or a pipe in its place keeps its own.
    if ((await handle.stat()).isFile()) await handle.chmod(OWN_FILE).catch(() => {});
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
