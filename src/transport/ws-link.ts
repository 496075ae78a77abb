// A link over a WebSocket: one packed batch per binary message.
// Invariant: as for any byte stream; what the WebSocket library gathers of a message is bounded by what has arrived, too.
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { FrameTooLargeError, LinkClosedError, ProtocolError } from '../errors.js';
import { packBatch } from '../rpc/batch-codec.js';
import { DEFAULT_LIMITS } from '../rpc/frames.js';
import type { Link, LinkEvents } from '../rpc/link.js';
import { deliverFrame } from './deliver-frame.js';
import { Flow, takenOf } from './flow.js';
import { Pieces } from './pieces.js';
import type { StreamLinkOptions } from './stream-link.js';

const BATCH_SLACK = 1024 * 1024;
/** A list of pieces that is shorter is left to the library. */
const FEW_PIECES = 16;
/** `WebSocket.OPEN`, which only the library's code could tell. */
const OPEN = 1;

/** Largest message of a link. */
export const largestMessage = (maxFrame: number | undefined): number => (maxFrame ?? DEFAULT_LIMITS.maxFrame) + BATCH_SLACK;

export class WsLink implements Link {
  readonly level = 'bytes';
  readonly label: string;
  readonly trusted: boolean;
  readonly #flow: Flow;
  #events: LinkEvents | undefined;
  #raw: Duplex | undefined;
  #closed = false;
  #closing = false;
  #error: Error | undefined;

  /** Of a socket that connects, or has just been opened: nothing has been read from it. */
  constructor(
    private readonly socket: WebSocket,
    options: StreamLinkOptions,
  ) {
    const { label } = options;
    this.label = label;
    this.trusted = options.trusted;
    this.#flow = new Flow(
      {
        label,
        unsent: () => this.unsent,
        taken: () => takenOf(this.#raw),
        startReading: () => socket.resume(),
        stopReading: () => socket.pause(),
        beat: () => this.#open && socket.ping(),
        lose: (error) => this.close(error),
        cut: () => socket.terminate(),
      },
      options,
    );
    socket.on('message', (data, isBinary) => {
      if (isBinary) deliverFrame(data as Buffer, this, this.#events);
      else this.close(new ProtocolError(`${label} sent text; this protocol is binary`));
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const limit = largestMessage(options.maxFrame);
      this.#error =
        error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'
          ? new FrameTooLargeError(`${label} announced a frame larger than the limit of ${limit}`, { size: limit + 1, limit })
          : error.code?.startsWith('WS_ERR_')
            ? new ProtocolError(`${label} broke the WebSocket protocol: ${error.message}`, { cause: error })
            : new LinkClosedError(`the link over ${label} broke: ${error.message}`, { cause: error });
    });
    socket.on('close', () => this.#end(this.#error));
    if (this.#open) this.#opened();
    else socket.once('open', () => this.#opened());
  }

  get unsent(): number {
    return this.#closed ? 0 : this.socket.bufferedAmount;
  }

  get #open(): boolean {
    return this.socket.readyState === OPEN;
  }

  /** Nothing is read before somebody listens. */
  #opened(): void {
    this.#raw = rawSocket(this.socket);
    // What the library itself sends (the answer to a ping) may be the last to go out, and it tells nobody of that.
    this.#raw?.on('drain', this.#sent);
    if (!this.#events) this.socket.pause();
    gatherPieces(this.socket);
  }

  start(events: LinkEvents): void {
    this.#events = events;
    if (this.#closed) queueMicrotask(() => events.closed(this.#error));
    else this.#flow.start();
  }

  send(entries: unknown[], attachments: unknown[]): boolean {
    if (this.#closing || this.#flow.ended || !this.#open) return false;
    const chunks = packBatch(entries, attachments as Uint8Array[]);
    this.socket.send(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks), this.#sent);
    return this.#flow.sent();
  }

  readonly #sent = () => {
    if (this.socket.bufferedAmount === 0 && this.#flow.drained()) this.#events?.drain();
  };

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
      this.socket.terminate();
      return;
    }
    this.#flow.close();
    this.socket.close();
  }

  ref(): void {
    rawSocket(this.socket)?.ref();
  }

  unref(): void {
    rawSocket(this.socket)?.unref();
  }

  #end(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    this.#flow.end();
    this.#events?.closed(error);
  }
}

/** ws keeps the socket under this name; there is no public way to ref it. */
const rawSocket = (socket: WebSocket): Socket | undefined => (socket as unknown as { _socket?: Socket })._socket;

/**
 * ws holds one buffer for each chunk that it reads until a message is complete, and takes them from the front of an array: quadratic
 * for a message in many pieces. Small ones are put together as soon as they are there. Should its insides change, its own bound on
 * their number is left.
 */
function gatherPieces(socket: WebSocket): void {
  const receiver = (socket as unknown as { _receiver?: { _buffers?: Buffer[] } })._receiver;
  const pieces = new Pieces();
  rawSocket(socket)?.on('data', () => {
    const list = receiver?._buffers;
    if (Array.isArray(list) && list.length > FEW_PIECES) pieces.add(list, list.pop()!);
  });
}
