// Processes kept warm beside a pool: up, but in no place. One that was ended by hand is not made anew until the pool is told to.
import type { Clock, Timer } from '../supervisor/clock.js';
import type { Member } from './member.js';

interface Spare {
  readonly member: Member;
  readonly unwatch: () => void;
}

export class Spares {
  #spares: Spare[] = [];
  #warming = 0;
  #lost = 0;
  #later: Timer | undefined;
  #ended = false;

  constructor(
    private readonly options: { readonly wanted: number; readonly clock: Clock; start(): Promise<Member> },
    private readonly events: { failed(error: Error): void; lost(member: Member): void; ready(): void },
  ) {}

  /** Those that are ready. */
  get ready(): number {
    return this.#spares.filter(({ member }) => member.status === 'running').length;
  }

  get members(): Member[] {
    return this.#spares.map(({ member }) => member);
  }

  add(member: Member): void {
    const unwatch = member.onStatus((status) => {
      if (status === 'failed' || status === 'stopped') this.#lose(member);
      else if (status === 'running') this.events.ready();
    });
    this.#spares.push({ member, unwatch });
    if (member.status === 'running') this.events.ready();
  }

  /** One that is ready, now the caller's. */
  take(): Member | undefined {
    const at = this.#spares.findIndex(({ member }) => member.status === 'running');
    if (at < 0) return undefined;
    const [{ member, unwatch }] = this.#spares.splice(at, 1) as [Spare];
    unwatch();
    return member;
  }

  /** All of them, now the caller's. */
  takeAll(): Member[] {
    return this.#spares.splice(0).map(({ member, unwatch }) => {
      unwatch();
      return member;
    });
  }

  /** The same in `delay` ms; who asks last is heard. */
  warmLater(delay: number): void {
    const { clock, wanted } = this.options;
    if (this.#later) clock.clearTimeout(this.#later);
    if (wanted > 0 && !this.#ended) this.#later = clock.setTimeout(() => this.warm(), delay, { unref: true });
  }

  end(): void {
    this.#ended = true;
    if (this.#later) this.options.clock.clearTimeout(this.#later);
  }

  /** Starts as many as are missing. */
  warm(): void {
    if (this.#ended) return;
    while (this.#spares.length + this.#warming + this.#lost < this.options.wanted) {
      this.#warming++;
      this.options.start().then(
        (member) => {
          this.#warming--;
          this.add(member);
        },
        (error: unknown) => {
          this.#warming--;
          this.events.failed(error as Error);
        },
      );
    }
  }

  /** Earlier losses are forgiven. */
  forgive(): void {
    this.#lost = 0;
  }

  #lose(member: Member): void {
    const at = this.#spares.findIndex((spare) => spare.member === member);
    if (at < 0) return;
    this.#spares.splice(at, 1)[0]!.unwatch();
    this.#lost++;
    this.events.lost(member);
  }
}
