// A link over any byte stream: the pipe to a child, unix, tcp and tls sockets. Frame: u32le length, then one packed batch.
// Invariant: nothing larger than the limit is ever gathered; a frame that cannot be right ends the link.
import type { Duplex } from 'node:stream';
import { FrameTooLargeError, LinkClosedError } from '../errors.js';
import { packBatch } from '../rpc/batch-codec.js';
import { DEFAULT_LIMITS } from '../rpc/frames.js';
import type { Link, LinkEvents } from '../rpc/link.js';
import { deliverFrame } from './deliver-frame.js';
import { Flow, takenOf, type FlowLimits } from './flow.js';
import { FrameReader, PREFIX } from './frame-reader.js';

/** A batch may hold a largest value and some small ones behind it. */
const BATCH_SLACK = 1024 * 1024;
/** Chunks up to this are joined with their prefix, so that a small frame is one write. */
const JOIN_BYTES = 16_384;
const EMPTY_FRAME = Buffer.alloc(PREFIX);

export interface StreamLinkOptions extends FlowLimits {
  readonly label: string;
  readonly trusted: boolean;
}

export class StreamLink implements Link {
  readonly level = 'bytes';
  readonly label: string;
  readonly trusted: boolean;
  readonly #flow: Flow;
  readonly #frames: FrameReader;
  #events: LinkEvents | undefined;
  #closed = false;
  #closing = false;
  #error: Error | undefined;

  /** A stream that was read before must be paused, with what is the link's own put back. */
  constructor(
    private readonly stream: Duplex & { ref?(): unknown; unref?(): unknown },
    options: StreamLinkOptions,
  ) {
    this.label = options.label;
    this.trusted = options.trusted;
    const limit = (options.maxFrame ?? DEFAULT_LIMITS.maxFrame) + BATCH_SLACK;
    this.#frames = new FrameReader(limit, {
      frame: (bytes) => deliverFrame(bytes, this, this.#events),
      tooLarge: (size) => this.close(new FrameTooLargeError(`${this.label} announced a frame of ${size} bytes, the limit is ${limit}`, { size, limit })),
    });
    this.#flow = new Flow(
      {
        label: this.label,
        unsent: () => this.unsent,
        taken: () => takenOf(stream),
        startReading: () => stream.resume(),
        stopReading: () => stream.pause(),
        beat: () => stream.writable && stream.write(EMPTY_FRAME),
        lose: (error) => this.close(error),
        cut: () => stream.destroy(),
      },
      options,
    );
    stream.on('error', (error) => this.#end(new LinkClosedError(`the link over ${this.label} broke: ${error.message}`, { cause: error })));
    stream.on('close', () => this.#end(undefined));
    stream.on('drain', () => this.#flow.drained() && this.#events?.drain());
  }

  get unsent(): number {
    return this.#closed ? 0 : this.stream.writableLength;
  }

  start(events: LinkEvents): void {
    this.#events = events;
    if (this.#closed) {
      // It broke before anybody listened.
      queueMicrotask(() => events.closed(this.#error));
      return;
    }
    // To listen for data alone would begin to read.
    this.stream.pause();
    this.stream.on('end', () => this.stream.destroy());
    this.stream.on('data', (chunk: Buffer) => this.#frames.push(chunk));
    this.#flow.start();
  }

  send(entries: unknown[], attachments: unknown[]): boolean {
    if (this.#closing || this.#flow.ended || !this.stream.writable) return false;
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
    return this.#flow.sent();
  }

  pause(): void {
    if (!this.#closing) this.#flow.hold(true);
  }

  resume(): void {
    this.#flow.hold(false);
  }

  close(error?: Error): void {
    if (this.#closed || (this.#closing && !error)) return;
    this.#closing = true;
    if (error) {
      this.#end(error);
      this.stream.destroy();
      return;
    }
    // `end` sends what was written first; the peer answers by ending its side.
    this.stream.end();
    this.#flow.close();
  }

  ref(): void {
    this.stream.ref?.();
  }

  unref(): void {
    this.stream.unref?.();
  }

  #end(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    this.#frames.stop();
    this.#flow.end();
    this.#events?.closed(error);
  }
}
