// One stream of a process on its way to those who read it: the streams of this program, and who hears of lines.
// Invariant: what waits in this program for slow readers is little: either its process waits as well, or lines are left out and counted.
import type { Readable } from 'node:stream';
import { heldBy, isCongested, whenRelieved } from './congestion.js';
import { Lines } from './lines.js';

/** What becomes of output while this program's own takes no more: its process waits, or it is left out. */
export type Overflow = 'wait' | 'drop';

/** What a process that has ended can still have in its pipe is read whatever is congested: it may say why. */
const LAST_WORDS = 1024 * 1024;

export interface TapOptions {
  readonly overflow: Overflow;
  /** Where raw chunks go as well. */
  readonly target: NodeJS.WritableStream | undefined;
  /** Each line, told or not. */
  keep(line: string): void;
  tell(line: string): void;
}

export class Tap {
  readonly #lines: Lines;
  readonly #sinks: readonly NodeJS.WritableStream[];
  /** Those that its output was seen to wait in: who hears of lines often prints them. */
  readonly #fed = new Set<NodeJS.WritableStream>();
  /** Lines left out so far; undefined while none are. */
  #dropped: number | undefined;
  /** What may still be read in spite of congestion; undefined while the process runs. */
  #lastWords: number | undefined;

  constructor(
    private readonly readable: Readable,
    { overflow, target, keep, tell }: TapOptions,
  ) {
    this.#sinks = [...new Set([process.stdout, process.stderr, ...(target ? [target] : [])])];
    if (overflow === 'wait') {
      this.#lines = new Lines((line) => {
        keep(line);
        tell(line);
      });
      readable.on('data', (chunk: Buffer) => this.#pass(chunk, target));
      return;
    }
    // By whole lines: what is left out and what is not must not run into each other.
    const say = (line: string) => {
      target?.write(`${line}\n`);
      tell(line);
    };
    this.#lines = new Lines((line) => {
      keep(line);
      if (this.#dropped === undefined) say(line);
      else this.#dropped++;
    });
    readable.on('data', (chunk: Buffer) => this.#passOrDrop(chunk, say));
  }

  end(): void {
    this.#lines.end();
  }

  /** The process has ended. */
  left(): void {
    this.#lastWords = LAST_WORDS;
    this.readable.resume();
  }

  /** It may be held open for ever: that keeps this program alive no longer. */
  letGo(): void {
    (this.readable as Partial<{ unref(): void }>).unref?.();
  }

  #pass(chunk: Buffer, target: NodeJS.WritableStream | undefined): void {
    this.#watching(() => {
      target?.write(chunk);
      this.#lines.add(chunk);
    });
    const full = this.#congested();
    if (!full) return;
    if (this.#lastWords !== undefined && (this.#lastWords -= chunk.length) > 0) return;
    this.readable.pause();
    whenRelieved(full, () => this.readable.resume());
  }

  #passOrDrop(chunk: Buffer, say: (line: string) => void): void {
    const full = this.#dropped === undefined ? this.#congested() : undefined;
    if (full) {
      this.#dropped = 0;
      whenRelieved(full, () => {
        const dropped = this.#dropped!;
        this.#dropped = undefined;
        if (dropped > 0) say(`… ${dropped} lines were left out: they were read too slowly`);
      });
    }
    this.#watching(() => this.#lines.add(chunk));
  }

  /** Notes in which streams waits what `pass` has passed on. */
  #watching(pass: () => void): void {
    const before = this.#sinks.map(heldBy);
    pass();
    this.#sinks.forEach((sink, i) => heldBy(sink) > before[i]! && this.#fed.add(sink));
  }

  #congested(): NodeJS.WritableStream | undefined {
    for (const sink of this.#fed) if (isCongested(sink)) return sink;
    return undefined;
  }
}
