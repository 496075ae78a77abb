// A link over any byte stream: the pipe to a child, unix, tcp and tls sockets. Frame: u32le length, then one packed batch.
// Invariant: nothing larger than the limit is ever gathered; a frame that cannot be right ends the link.
import type { Duplex } from 'node:stream';
import { FrameTooLargeError, LinkClosedError } from '../errors.js';
import { packBatch } from '../rpc/batch-codec.js';
import { DEFAULT_LIMITS } from '../rpc/frames.js';
import type { Link, LinkEvents } from '../rpc/link.js';
import { deliverFrame } from './deliver-frame.js';

const PREFIX = 4;
/** A batch may hold a largest value and some small ones behind it. */
const BATCH_SLACK = 1024 * 1024;
/** Above this much unsent data the link says it is congested. */
const CONGESTED_BYTES = 1024 * 1024;
/** Above this much unsent data the serving side reads no more. Only that side, so that two full sides never wait for each other. */
const PAUSE_BYTES = 32 * 1024 * 1024;
/** Time for the peer to close its side, too; a socket that is cut earlier may lose what is on its way. */
const CLOSE_GRACE_MS = 500;
/** Chunks up to this are joined with their prefix, so that a small frame is one write. */
const JOIN_BYTES = 16_384;

export interface StreamLinkOptions {
  readonly label: string;
  readonly trusted: boolean;
  readonly maxFrame?: number | undefined;
  /** True on the side that listens: while its peer does not read what it is sent, no more of its calls are read. */
  readonly serving?: boolean | undefined;
  /** Bytes that were read ahead of the first frame. */
  readonly head?: Buffer | undefined;
}

export class StreamLink implements Link {
  readonly level = 'bytes';
  readonly label: string;
  readonly trusted: boolean;
  readonly #limit: number;
  #events: LinkEvents | undefined;
  #closed = false;
  #closing = false;
  #error: Error | undefined;
  #congested = false;
  #paused = false;
  #chunks: Buffer[] = [];
  #length = 0;
  #needed = PREFIX;
  #inFrame = false;

  constructor(
    private readonly stream: Duplex & { ref?(): unknown; unref?(): unknown },
    private readonly options: StreamLinkOptions,
  ) {
    this.label = options.label;
    this.trusted = options.trusted;
    this.#limit = (options.maxFrame ?? DEFAULT_LIMITS.maxFrame) + BATCH_SLACK;
    stream.on('error', (error) => this.#end(new LinkClosedError(`the link over ${this.label} broke: ${error.message}`, { cause: error })));
    stream.on('close', () => this.#end(undefined));
    stream.on('drain', () => {
      this.#congested = false;
      if (this.#paused) {
        this.#paused = false;
        stream.resume();
      }
      this.#events?.drain();
    });
  }

  start(events: LinkEvents): void {
    this.#events = events;
    if (this.#closed) {
      // It broke before anybody listened.
      queueMicrotask(() => events.closed(this.#error));
      return;
    }
    const { head } = this.options;
    this.stream.on('end', () => this.stream.destroy());
    this.stream.on('data', (chunk: Buffer) => this.#read(chunk));
    if (head && head.length > 0) this.#read(head);
    // The handshake had paused it.
    this.stream.resume();
  }

  send(entries: unknown[], attachments: unknown[]): boolean {
    if (this.#closed || this.#closing) return true;
    const chunks = packBatch(entries, attachments as Uint8Array[]);
    let length = 0;
    for (const chunk of chunks) length += chunk.length;
    const first = chunks[0]!;
    if (chunks.length === 1 && first.length <= JOIN_BYTES) {
      const frame = Buffer.allocUnsafe(PREFIX + length);
      frame.writeUInt32LE(length, 0);
      frame.set(first, PREFIX);
      this.stream.write(frame);
    } else {
      const prefix = Buffer.allocUnsafe(PREFIX);
      prefix.writeUInt32LE(length, 0);
      this.stream.cork();
      this.stream.write(prefix);
      for (const chunk of chunks) this.stream.write(chunk);
      this.stream.uncork();
    }
    if (this.stream.writableLength > CONGESTED_BYTES) this.#congested = true;
    if (this.options.serving && !this.#paused && this.stream.writableLength > PAUSE_BYTES) {
      this.#paused = true;
      this.stream.pause();
    }
    return !this.#congested;
  }

  close(error?: Error): void {
    if (this.#closed || (this.#closing && !error)) return;
    this.#closing = true;
    if (error) {
      this.#end(error);
      this.stream.destroy();
      return;
    }
    // `end` sends what was written first; the peer answers by ending its side. One that never does must not hold this open.
    this.stream.end(() => {
      const timer = setTimeout(() => this.stream.destroy(), CLOSE_GRACE_MS);
      timer.unref();
      this.stream.once('close', () => clearTimeout(timer));
    });
    if (this.#paused) this.stream.resume();
  }

  get unsent(): number {
    return this.stream.writableLength;
  }

  pause(): void {}
  resume(): void {}

  ref(): void {
    this.stream.ref?.();
  }

  unref(): void {
    this.stream.unref?.();
  }

  #read(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    while (this.#length >= this.#needed && !this.#closed) {
      const bytes = this.#take(this.#needed);
      if (!this.#inFrame) {
        const length = bytes.readUInt32LE(0);
        if (length > this.#limit) {
          this.close(new FrameTooLargeError(`${this.label} announced a frame of ${length} bytes, the limit is ${this.#limit}`, { size: length, limit: this.#limit }));
          return;
        }
        this.#inFrame = true;
        this.#needed = length;
      } else {
        this.#inFrame = false;
        this.#needed = PREFIX;
        deliverFrame(bytes, this, this.#events);
      }
    }
  }

  /** The next `count` bytes; copies only when they came in several chunks. */
  #take(count: number): Buffer {
    this.#length -= count;
    const first = this.#chunks[0];
    if (first === undefined || count === 0) return Buffer.alloc(0);
    if (first.length === count) {
      this.#chunks.shift();
      return first;
    }
    if (first.length > count) {
      this.#chunks[0] = first.subarray(count);
      return first.subarray(0, count);
    }
    const joined = Buffer.allocUnsafe(count);
    let filled = 0;
    while (filled < count) {
      const next = this.#chunks[0]!;
      const part = Math.min(next.length, count - filled);
      next.copy(joined, filled, 0, part);
      filled += part;
      if (part === next.length) this.#chunks.shift();
      else this.#chunks[0] = next.subarray(part);
    }
    return joined;
  }

  #end(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    this.#chunks = [];
    this.#events?.closed(error);
  }
}
