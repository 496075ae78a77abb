// One child of a group: the functions that its owner gave, and what has become of it.
// Each start is a life of its own; the report of a death in an earlier life is not heard.
import type { RestartType } from './restart-options.js';
import type { ExitReport } from './syncer.js';
import { toError } from './engine.js';

export interface ChildContext {
  /** Aborts when the start is to be given up. */
  readonly signal: AbortSignal;
  /** To be called when the child dies by itself after it was ready. */
  readonly exited: (report?: Pick<ExitReport, 'error' | 'clean'>) => void;
}

export interface GroupChild {
  name: string;
  /** Resolves when the child is ready. */
  start(ctx: ChildContext): Promise<void> | void;
  /** Resolves when nothing of it runs any more. */
  stop(): Promise<void> | void;
  /** Default `permanent`. */
  type?: RestartType;
  /** When the budget is used up by its death: `true` (default) takes the group down, `false` lets only this child rest until the budget allows a restart. */
  critical?: boolean;
  /** The group starts even if this child cannot (default false). */
  optional?: boolean;
}

/** `down`: died, and not up again; `ended`: died and is not to be restarted; `failed`: given up. */
export type ChildState = 'stopped' | 'starting' | 'running' | 'stopping' | 'down' | 'ended' | 'failed';

export interface ChildStatus {
  name: string;
  state: ChildState;
  starts: number;
  lastError: Error | undefined;
}

export class Member {
  readonly child: GroupChild;
  #state: ChildState = 'stopped';
  #starts = 0;
  #lastError: Error | undefined;

  constructor(child: GroupChild) {
    this.child = child;
  }

  get name(): string {
    return this.child.name;
  }

  get up(): boolean {
    return this.#state === 'running';
  }

  get down(): boolean {
    return this.#state === 'down';
  }

  /** Given up, for now or for good. */
  get failed(): boolean {
    return this.#state === 'failed';
  }

  /** Not one that has ended for good or was given up. */
  get wanted(): boolean {
    return this.#state === 'down' || this.#state === 'stopped' || this.#state === 'running';
  }

  status(): ChildStatus {
    return { name: this.name, state: this.#state, starts: this.#starts, lastError: this.#lastError };
  }

  async start(signal: AbortSignal, onExit: (report: Pick<ExitReport, 'error' | 'clean'>) => void): Promise<void> {
    const life = ++this.#starts;
    let early: Pick<ExitReport, 'error' | 'clean'> | undefined;
    this.#state = 'starting';
    try {
      await this.child.start({
        signal,
        exited: (report = {}) => {
          if (life !== this.#starts) return;
          if (this.#state === 'starting') early = report;
          else onExit(report);
        },
      });
    } catch (thrown) {
      this.#lastError = toError(thrown);
      this.#state = 'down';
      throw thrown;
    }
    this.#state = 'running';
    if (early) onExit(early);
  }

  /** Answers what went wrong; the child counts as stopped either way. */
  async stop(): Promise<Error | undefined> {
    this.#state = 'stopping';
    try {
      await this.child.stop();
      return undefined;
    } catch (thrown) {
      return (this.#lastError = toError(thrown));
    } finally {
      this.#state = 'stopped';
    }
  }

  markDown(): boolean {
    if (this.#state !== 'running') return false;
    this.#state = 'down';
    return true;
  }

  /** The group has stopped: nobody brings a dead child back any more. */
  settle(): void {
    if (this.#state === 'down') this.#state = 'stopped';
  }

  rest(error: Error | undefined): void {
    this.#state = 'ended';
    if (error) this.#lastError = error;
  }

  giveUp(error: Error): void {
    this.#state = 'failed';
    this.#lastError = error;
  }
}
