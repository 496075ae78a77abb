// A link that is looked at for a moment before its thread goes to sleep, while batches arrive close behind each other.
// Invariant: traffic that is too sparse to profit costs nothing.
import type { Link, LinkEvents } from '../rpc/link.js';
import { now } from '../rpc/now.js';
import type { LatencyMode, Transferable } from '../types.js';
import { expect, look, type Polled } from './poller.js';

interface Patience {
  /** How long it is looked at after a batch left or arrived, ms. */
  readonly poll: number;
  /** Only while batches arrive closer to each other than this, ms. */
  readonly dense: number;
}

/**
 * `normal`: no longer than it takes until both sides have been woken up (some 50 µs, half of it CPU), so that a look that succeeds
 * saves about what one that fails has cost. `low`: longer, and for thinner traffic; at 1,000 calls a second it would still be wasted.
 */
const PATIENCE: Readonly<Record<LatencyMode, Patience>> = { normal: { poll: 0.05, dense: 0.2 }, low: { poll: 0.1, dense: 0.5 } };
/** Longer intervals count as this, ms. */
const LONG = 1;
/** After so many looks in a row that brought nothing, it tries again only now and then. */
const MISSES = 4;
const TRY_AGAIN_AFTER = 64;

export class PolledLink implements Link, Polled {
  readonly level: Link['level'];
  readonly label: string;
  readonly trusted: boolean;
  readonly poll: (() => boolean) | undefined;
  until = 0;
  readonly #patience: Patience;
  #closed = false;
  #arrived = 0;
  /** Between batches, a moving average: two that come together and then none for long are not dense. */
  #interval = LONG;
  #dense = false;
  #polling = false;
  #misses = 0;
  #rested = 0;

  constructor(
    private readonly link: Link,
    mode: LatencyMode,
  ) {
    this.#patience = PATIENCE[mode];
    this.level = link.level;
    this.label = link.label;
    this.trusted = link.trusted;
    this.poll = link.poll && (() => link.poll!());
  }

  start(events: LinkEvents): void {
    const { dense } = this.#patience;
    this.link.start({
      batch: (entries, attachments) => {
        const at = now();
        this.#interval += (Math.min(at - this.#arrived, LONG) - this.#interval) / 4;
        this.#dense = this.#interval < dense;
        this.#arrived = at;
        if (this.#polling) this.#misses = 0;
        events.batch(entries, attachments);
        this.#keep(at);
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
      const at = now();
      if (at - this.#arrived < this.#patience.dense && this.#keep(at)) expect();
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
  #keep(at: number): boolean {
    if (!this.#dense || this.#closed) return false;
    if (!this.#polling) {
      if (this.#misses >= MISSES && ++this.#rested % TRY_AGAIN_AFTER !== 0) return false;
      this.#polling = true;
    }
    this.until = at + this.#patience.poll;
    look(this);
    return true;
  }
}

/** The link itself, or one that is polled: a link between threads always, any other with `low`, for only its event loop can read it. */
export const withLatency = (link: Link, latency: LatencyMode = 'normal'): Link => (latency === 'low' || link.poll ? new PolledLink(link, latency) : link);
