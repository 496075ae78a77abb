// A link that is looked at for a moment before its thread goes to sleep, while batches arrive close behind each other.
import type { Link, LinkEvents } from '../rpc/link.js';
import type { LatencyMode, Transferable } from '../types.js';
import { Pacer, PATIENCE } from './pacer.js';

export class PolledLink implements Link {
  readonly level: Link['level'];
  readonly label: string;
  readonly trusted: boolean;
  readonly #pacer: Pacer;

  constructor(
    private readonly link: Link,
    mode: LatencyMode,
  ) {
    this.#pacer = new Pacer(PATIENCE[mode], link.poll && (() => link.poll!()));
    this.level = link.level;
    this.label = link.label;
    this.trusted = link.trusted;
  }

  start(events: LinkEvents): void {
    const pacer = this.#pacer;
    this.link.start({
      batch: (entries, attachments) => {
        pacer.arrived();
        events.batch(entries, attachments);
        pacer.handled();
      },
      drain: () => events.drain(),
      closed: (error) => {
        pacer.close();
        events.closed(error);
      },
    });
  }

  send(entries: unknown[], attachments: unknown[], transfer: Transferable[]): boolean {
    const taken = this.link.send(entries, attachments, transfer);
    this.#pacer.sent();
    return taken;
  }

  get unsent(): number {
    return this.link.unsent;
  }

  pause(): void {
    this.link.pause();
  }

  resume(): void {
    this.link.resume();
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
}

/** The link itself, or one that is polled: a link between threads always, any other with `low`, for only its event loop can read it. */
export const withLatency = (link: Link, latency: LatencyMode = 'normal'): Link => (latency === 'low' || link.poll ? new PolledLink(link, latency) : link);
