// The end of a thread or child: heard of by itself, or, once it was killed, waited for with a bound. A thread inside native code does
// not end before that code returns, and a child may hang in the kernel: neither may hold up who killed it.
// Invariant: `exited` settles within KILL_TOLD_MS of a kill, `gone` within the limit.
import type { Exit } from './runtime.js';

/** What was killed counts as ended this soon, whatever it still does, ms: its calls are told, and nothing that it says is heard. */
export const KILL_TOLD_MS = 10;
/** A killed thread that has not ended by then is stuck in native code; the next incarnation starts beside it, ms. */
export const THREAD_END_MS = 250;
/** A killed process group that is not empty by then hangs in the kernel, ms. */
export const GROUP_END_MS = 5_000;

export interface EndingOptions {
  /** From a kill to the moment when it is given up, ms. */
  readonly limit: number;
  /** How it is said to have ended when it was killed and has not been heard of. */
  readonly killed: Exit;
  /** Why it may not have ended by then. */
  readonly why: string;
  /** Runs once, just before `exited` settles. */
  onOver?(): void;
}

export class Ending {
  /** It runs no more, or nothing that it does is heard any more. */
  readonly exited: Promise<Exit>;
  /** It has really ended, however long that took. */
  readonly ended: Promise<void>;
  /** It is waited for no longer; resolves with why. */
  readonly abandoned: Promise<string>;
  #tell!: (exit: Exit) => void;
  #end!: () => void;
  #abandon!: (why: string) => void;
  #told = false;
  #over = false;
  #killed = false;
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(private readonly options: EndingOptions) {
    this.exited = new Promise((resolve) => (this.#tell = resolve));
    this.ended = new Promise((resolve) => (this.#end = resolve));
    this.abandoned = new Promise((resolve) => (this.#abandon = resolve));
  }

  /** It has ended. */
  end(exit: Exit): void {
    if (this.#over) return;
    this.#over = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#say(exit);
    this.#end();
  }

  /** It is killed: from now on it is waited for no longer than the limit. True the first time. */
  killed(): boolean {
    if (this.#killed || this.#over) return false;
    this.#killed = true;
    const { killed, limit } = this.options;
    this.#timers.push(setTimeout(() => this.#say(killed), KILL_TOLD_MS), setTimeout(() => this.abandon(), limit));
    return true;
  }

  abandon(): void {
    this.#abandon(this.options.why);
  }

  /** Resolves when it has ended, or is waited for no longer. */
  async gone(): Promise<void> {
    await Promise.race([this.ended, this.abandoned]);
  }

  #say(exit: Exit): void {
    if (this.#told) return;
    this.#told = true;
    this.options.onOver?.();
    this.#tell(exit);
  }
}
