// Boots the thread of a first spawn while the manager is still loading what supervises it: both take tens of milliseconds.
// Invariant: the thread is taken over once, or ended.
import type { LineListener } from '../runtime/output.js';
import type { Incarnation, Launch } from '../runtime/runtime.js';
import { launchThread } from '../runtime/thread.js';
import { launchOptionsOf } from './launch-options.js';
import type { ResolvedOptions } from './options.js';

export class EarlyThread {
  #booting: Promise<Incarnation> | undefined;
  #onLine: LineListener | undefined;

  constructor(options: ResolvedOptions) {
    this.#booting = launchThread(launchOptionsOf(options, (line, stream) => this.#onLine?.(line, stream)));
    // Said by `launch`.
    this.#booting.catch(() => {});
  }

  /** Gives this thread the first time, new ones later. */
  readonly launch: Launch = (options) => {
    const booting = this.#booting;
    if (!booting) return launchThread(options);
    this.#booting = undefined;
    this.#onLine = options.onLine;
    return booting;
  };

  /** Ends the thread, unless it was taken over. */
  async discard(): Promise<void> {
    const booting = this.#booting;
    this.#booting = undefined;
    await booting?.then((incarnation) => incarnation.kill(), () => {});
  }
}
