// A link that is polled while calls follow each other closely. Invariant: traffic that is too sparse to profit costs nothing.
import type { Link, LinkEvents } from '../rpc/link.js';
import type { LatencyMode, Transferable } from '../types.js';
import { expect, look, POLL_MS, type Polled } from './poller.js';

/** Polling begins only when batches arrive closer to each other than this: at 1,000 calls a second it would be wasted. */
const DENSE_MS = 0.2;
/** After so many polls in a row that brought nothing, it tries again only now and then. */
const MISSES = 4;
const TRY_AGAIN_AFTER = 64;

export class LowLatencyLink implements Link, Polled {
  readonly level: Link['level'];
  readonly label: string;
  readonly trusted: boolean;
  readonly poll: (() => boolean) | undefined;
  until = 0;
  #closed = false;
  #arrived = 0;
  #dense = false;
  #polling = false;
  #misses = 0;
  #rested = 0;

  constructor(private readonly link: Link) {
    this.level = link.level;
    this.label = link.label;
    this.trusted = link.trusted;
    this.poll = link.poll && (() => link.poll!());
  }

  start(events: LinkEvents): void {
    this.link.start({
      batch: (entries, attachments) => {
        const now = performance.now();
        this.#dense = now - this.#arrived < DENSE_MS;
        this.#arrived = now;
        if (this.#polling) this.#misses = 0;
        events.batch(entries, attachments);
        this.#keep(now);
      },
      drain: () => events.drain(),
      closed: (error) => {
        this.#closed = true;
        this.until = 0;
        events.closed(error);
      },
    });
  }

  send(entries: unknown[], attachments: unknown[], transfer: Transferable[]): boolean {
    const taken = this.link.send(entries, attachments, transfer);
    if (this.#dense) {
      const now = performance.now();
      if (now - this.#arrived < DENSE_MS && this.#keep(now)) expect();
    }
    return taken;
  }

  close(error?: Error): void {
    this.link.close(error);
  }

  ref(): void {
    this.link.ref();
  }

  unref(): void {
    this.link.unref();
  }

  gaveUp(): void {
    this.#polling = false;
    this.#misses++;
  }

  /** Polls from now on, or longer; false: not worth it. */
  #keep(now: number): boolean {
    if (!this.#dense || this.#closed) return false;
    if (!this.#polling) {
      if (this.#misses >= MISSES && ++this.#rested % TRY_AGAIN_AFTER !== 0) return false;
      this.#polling = true;
    }
    this.until = now + POLL_MS;
    look(this);
    return true;
  }
}

/** The link itself, or one that is polled. */
export const withLatency = (link: Link, latency: LatencyMode | undefined): Link => (latency === 'low' ? new LowLatencyLink(link) : link);
