// What a process prints: split into lines, the last of them kept for errors, passed on without ever blocking the process.
import { StringDecoder } from 'node:string_decoder';
import type { Readable } from 'node:stream';

const KEPT_LINES = 200;
const TAIL_BYTES = 4096;
const LONGEST_LINE = 16_384;

export type OutputStream = 'stdout' | 'stderr';
export type LineListener = (line: string, stream: OutputStream) => void;

export class Output {
  readonly #lines: { line: string; stream: OutputStream }[] = [];
  #open = 0;
  #waiters: (() => void)[] = [];

  constructor(
    private readonly onLine: LineListener,
    /** Where raw chunks go as well; undefined keeps them to this object. */
    private readonly passOn?: Partial<Record<OutputStream, NodeJS.WritableStream>>,
  ) {}

  tap(readable: Readable, stream: OutputStream): void {
    const decoder = new StringDecoder('utf8');
    let rest = '';
    this.#open++;
    readable.on('data', (chunk: Buffer) => {
      this.passOn?.[stream]?.write(chunk);
      rest += decoder.write(chunk);
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#keep(line.replace(/\r$/, ''), stream);
      if (rest.length > LONGEST_LINE) {
        this.#keep(rest, stream);
        rest = '';
      }
    });
    const end = () => {
      readable.off('end', end);
      readable.off('close', end);
      if (rest) this.#keep(rest, stream);
      rest = '';
      if (--this.#open === 0) for (const resolve of this.#waiters.splice(0)) resolve();
    };
    readable.on('end', end);
    readable.on('close', end);
    readable.on('error', () => {});
  }

  /** The last lines, oldest first. */
  lines(): string[] {
    return this.#lines.map(({ line }) => line);
  }

  /** The end of stderr, at most 4 KB. */
  stderrTail(): string {
    const text = this.#lines
      .filter(({ stream }) => stream === 'stderr')
      .map(({ line }) => line)
      .join('\n');
    return text.length > TAIL_BYTES ? `…${text.slice(-TAIL_BYTES)}` : text;
  }

  /** Resolves when both streams have ended, at the latest after `limit` ms: a grandchild may hold them open. */
  ended(limit: number): Promise<void> {
    if (this.#open === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, limit);
      this.#waiters.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #keep(line: string, stream: OutputStream): void {
    this.#lines.push({ line, stream });
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    this.onLine(line, stream);
  }
}
