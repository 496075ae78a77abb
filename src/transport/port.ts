// A link over a MessagePort: between threads. A batch is one message; strings and numbers go as they are, buffers are moved.
import type { MessagePort } from 'node:worker_threads';
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
    this.port.on('message', (message: unknown[]) => {
      // A batch without attachments is the flat array itself; one with them is wrapped, which no first entry looks like.
      if (message[0] === WITH_ATTACHMENTS) events.batch(message[1] as unknown[], message[2] as unknown[]);
      else events.batch(message, NO_ATTACHMENTS);
    });
    this.port.on('messageerror', (error) => this.#end(error));
    this.port.on('close', () => this.#end(undefined));
  }

  send(entries: unknown[], attachments: unknown[], transfer: Transferable[]): boolean {
    if (this.#closed || this.#closing) return true;
    if (attachments.length === 0) this.port.postMessage(entries);
    else this.port.postMessage([WITH_ATTACHMENTS, entries, attachments], transfer);
    return true;
  }

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
    this.#events?.closed(error);
  }
}

const WITH_ATTACHMENTS = -1;
const NO_ATTACHMENTS: readonly unknown[] = Object.freeze([]);
