// A link over a MessagePort: between threads. A batch is one message: a packed string, or an array when it is small; buffers are moved.
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { ProtocolError } from '../errors.js';
import { packEntries, unpackEntries } from '../rpc/batch-codec.js';
import type { Link, LinkEvents } from '../rpc/link.js';
import type { Transferable } from '../types.js';

export class PortLink implements Link {
  readonly level = 'objects';
  readonly trusted = true;
  #events: LinkEvents | undefined;
  #closed = false;
  #closing = false;

  constructor(
    private readonly port: MessagePort,
    readonly label: string,
  ) {}

  start(events: LinkEvents): void {
    this.#events = events;
    this.port.on('message', (message: unknown) => this.#receive(message, events));
    this.port.on('messageerror', (error) => this.#end(error));
    this.port.on('close', () => this.#end(undefined));
  }

  send(entries: unknown[], attachments: unknown[], transfer: Transferable[]): boolean {
    if (this.#closed || this.#closing) return true;
    const batch = entries.length < PACK_SLOTS && !entries.some(isPacked) ? entries : packEntries(entries);
    if (attachments.length === 0) this.port.postMessage(batch);
    else this.port.postMessage({ batch, attachments }, transfer);
    return true;
  }

  #receive(message: unknown, events: LinkEvents): void {
    const bare = typeof message === 'string' || Array.isArray(message);
    const { batch, attachments } = bare ? { batch: message, attachments: NO_ATTACHMENTS } : (message as { batch: unknown; attachments: unknown[] });
    try {
      events.batch(typeof batch === 'string' ? unpackEntries(batch) : (batch as unknown[]), attachments);
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

  close(error?: Error): void {
    if (this.#closed) return;
    this.#closing = true;
    this.port.close();
    if (error) this.#end(error);
  }

  get unsent(): number {
    return 0;
  }

  pause(): void {}
  resume(): void {}

  ref(): void {
    this.port.ref();
  }

  unref(): void {
    this.port.unref();
  }

  #end(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events?.closed(error);
  }
}

/** A batch of fewer slots (three calls) goes as an array: packing would not pay, and such a thread never loads the unpacker. */
const PACK_SLOTS = 18;
const NO_ATTACHMENTS: readonly unknown[] = Object.freeze([]);
const isPacked = (slot: unknown): boolean => typeof slot === 'object' && slot instanceof Uint8Array;
