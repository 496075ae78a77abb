// Cuts a byte stream into frames: u32le length, then so many bytes. Each byte is copied once at most, however it was cut up.
// Invariant: nothing is allocated for what was only announced, and no frame above the limit is gathered.
import { Pieces } from './pieces.js';

export const PREFIX = 4;

export interface FrameSink {
  frame(bytes: Buffer): void;
  /** The reader has stopped. */
  tooLarge(length: number): void;
}

export class FrameReader {
  readonly #prefix = Buffer.alloc(PREFIX);
  #prefixed = 0;
  /** Length of the frame that has begun; undefined: its prefix is not complete. */
  #length: number | undefined;
  #list: Buffer[] = [];
  #gathered = 0;
  #pieces: Pieces | undefined;
  #stopped = false;

  constructor(
    private readonly limit: number,
    private readonly sink: FrameSink,
  ) {}

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#stopped) {
      if (this.#length === undefined) {
        at += this.#readPrefix(chunk, at);
        if (this.#length === undefined || this.#stopped) return;
      }
      const missing = this.#length - this.#gathered;
      const part = chunk.subarray(at, at + missing);
      if (part.length < missing) {
        this.#gather(part);
        return;
      }
      at += missing;
      const frame = this.#gathered === 0 ? part : this.#join(part);
      this.#length = undefined;
      // An empty frame only shows that its sender is there.
      if (frame.length > 0) this.sink.frame(frame);
    }
  }

  /** Nothing more is wanted; what was gathered goes. */
  stop(): void {
    this.#stopped = true;
    this.#list = [];
    this.#pieces = undefined;
  }

  /** How many bytes it took. */
  #readPrefix(chunk: Buffer, at: number): number {
    // Mostly it is whole.
    if (this.#prefixed === 0 && at + PREFIX <= chunk.length) {
      this.#begin((chunk[at]! | (chunk[at + 1]! << 8) | (chunk[at + 2]! << 16)) + chunk[at + 3]! * 0x1_00_00_00);
      return PREFIX;
    }
    const taken = chunk.copy(this.#prefix, this.#prefixed, at, at + PREFIX - this.#prefixed);
    this.#prefixed += taken;
    if (this.#prefixed === PREFIX) {
      this.#prefixed = 0;
      this.#begin(this.#prefix.readUInt32LE(0));
    }
    return taken;
  }

  #begin(length: number): void {
    this.#length = length;
    if (length <= this.limit) return;
    this.stop();
    this.sink.tooLarge(length);
  }

  #gather(part: Buffer): void {
    if (part.length === 0) return;
    this.#gathered += part.length;
    (this.#pieces ??= new Pieces()).add(this.#list, part);
  }

  #join(last: Buffer): Buffer {
    this.#list.push(last);
    const frame = Buffer.concat(this.#list, this.#length);
    this.#list = [];
    this.#gathered = 0;
    this.#pieces?.reset();
    return frame;
  }
}
