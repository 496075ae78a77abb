// What a process prints: cut into lines, the last of them kept for errors, passed on without filling this program's memory.
import type { Readable } from 'node:stream';
import { Tap, type Overflow } from './tap.js';

const KEPT_LINES = 200;
/** Characters of all kept lines but the last one. */
const KEPT_TEXT = 256 * 1024;
const TAIL_BYTES = 4096;
/** From the end of a process to the moment when this program no longer waits for who else has its output open, ms. */
const LEFT_OPEN_MS = 500;

export type OutputStream = 'stdout' | 'stderr';
export type LineListener = (line: string, stream: OutputStream) => void;

export class Output {
  readonly #lines: { line: string; stream: OutputStream }[] = [];
  #kept = 0;
  readonly #taps = new Set<Tap>();
  #waiters: (() => void)[] = [];

  constructor(
    private readonly onLine: LineListener,
    /** Where raw chunks go as well; undefined keeps them to this object. */
    private readonly passOn?: Partial<Record<OutputStream, NodeJS.WritableStream>>,
    private readonly overflow: Overflow = 'wait',
  ) {}

  tap(readable: Readable, stream: OutputStream): void {
    const tap = new Tap(readable, {
      overflow: this.overflow,
      target: this.passOn?.[stream],
      keep: (line) => this.#keep(line, stream),
      tell: (line) => this.onLine(line, stream),
    });
    this.#taps.add(tap);
    const end = () => {
      readable.off('end', end);
      readable.off('close', end);
      tap.end();
      this.#taps.delete(tap);
      if (this.#taps.size === 0) for (const resolve of this.#waiters.splice(0)) resolve();
    };
    readable.on('end', end);
    readable.on('close', end);
    readable.on('error', () => {});
  }

  /** The process has ended. A program that it left behind may hold its output open for ever: that is not waited for. */
  left(): void {
    for (const tap of this.#taps) tap.left();
    if (this.#taps.size > 0) setTimeout(() => this.#taps.forEach((tap) => tap.letGo()), LEFT_OPEN_MS).unref();
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
    if (this.#taps.size === 0) return Promise.resolve();
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
    this.#kept += line.length;
    while (this.#lines.length > KEPT_LINES || (this.#kept > KEPT_TEXT && this.#lines.length > 1)) this.#kept -= this.#lines.shift()!.line.length;
  }
}
