// A link over a MessagePort: between threads. A batch is one message: a packed string, or an array when it is small; buffers are moved.
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { ProtocolError } from '../errors.js';
import { packEntries, unpackEntries } from '../rpc/batch-codec.js';
import type { Link, LinkEvents } from '../rpc/link.js';
import type { Transferable } from '../types.js';

export class PortLink implements Link {
  readonly level = 'objects';
  readonly trusted = true;
  /** The engine does not tell what waits in the other thread's queue. */
  readonly unsent = 0;
  #events: LinkEvents | undefined;
  #closed = false;
  #closing = false;
  #error: Error | undefined;

  constructor(
    private readonly port: MessagePort,
    readonly label: string,
  ) {
    port.on('messageerror', (error) => this.close(new ProtocolError(`${label} sent a message that cannot be read`, { cause: error })));
    // Told once, and to nobody when nobody listens. What was sent before comes first.
    port.on('close', () => this.#end(undefined));
  }

  start(events: LinkEvents): void {
    this.#events = events;
    if (this.#closed) queueMicrotask(() => events.closed(this.#error));
    else this.port.on('message', (message: unknown) => this.#receive(message, events));
  }

  send(entries: unknown[], attachments: unknown[], transfer: Transferable[]): boolean {
    if (this.#closed || this.#closing) return false;
    const batch = entries.length < PACK_SLOTS && !entries.some(isPacked) ? entries : packEntries(entries);
    if (attachments.length === 0) this.port.postMessage(batch);
    else this.port.postMessage({ batch, attachments }, transfer);
    return true;
  }

  #receive(message: unknown, events: LinkEvents): void {
    if (this.#closed) return;
    try {
      const { batch, attachments = NO_ATTACHMENTS } = isBatch(message) ? { batch: message } : ((message ?? {}) as { batch?: unknown; attachments?: unknown });
      const entries = typeof batch === 'string' ? unpackEntries(batch) : batch;
      if (!Array.isArray(entries) || !Array.isArray(attachments)) throw new ProtocolError(`${this.label} sent a message that is no batch`);
      events.batch(entries, attachments);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.close(error);
    }
  }

  /** One message at a time: a fast peer must not starve what else this thread does. */
  poll(): boolean {
    const events = this.#events;
    const received = events && !this.#closed && !this.#closing ? receiveMessageOnPort(this.port) : undefined;
    if (received) this.#receive(received.message, events!);
    return received !== undefined;
  }

  /** Does nothing: the engine puts messages into this thread's memory, whether they are read or not. */
  pause(): void {}
  resume(): void {}

  close(error?: Error): void {
    if (this.#closed) return;
    this.#closing = true;
    this.port.close();
    if (error) this.#end(error);
  }

  ref(): void {
    this.port.ref();
  }

  unref(): void {
    this.port.unref();
  }

  #end(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    this.#events?.closed(error);
  }
}

/** A batch of fewer slots (three calls) goes as an array: packing would not pay, and such a thread never loads the unpacker. */
const PACK_SLOTS = 18;
const NO_ATTACHMENTS: readonly unknown[] = Object.freeze([]);
const isBatch = (message: unknown): boolean => typeof message === 'string' || Array.isArray(message);
const isPacked = (slot: unknown): boolean => typeof slot === 'object' && slot instanceof Uint8Array;
