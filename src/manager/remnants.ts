// What was killed and has not ended: threads inside native code, children that hang in the kernel. Their calls are over and others have
// taken their places; what is left is to know of them, and not to say that all is gone before it is.
import type { LeftBehind } from '../errors.js';
import type { Incarnation, Launch } from '../runtime/runtime.js';
import { within } from '../runtime/within.js';

/** One that ends a little late is nobody's concern, ms. */
const WARN_AFTER_MS = 1_000;

/** Something that may be given up. */
export interface Killable extends Pick<Incarnation, 'pid' | 'threadId' | 'abandoned'> {
  readonly ended: Promise<unknown>;
}

export class Remnants {
  readonly #left = new Map<Killable, LeftBehind>();

  /** The same launch; what it starts is known here once it has been given up. */
  watching(launch: Launch): Launch {
    return (options) => {
      const started = launch(options);
      started.then((incarnation) => this.watch(options.name, incarnation), () => {});
      return started;
    };
  }

  watch(name: string, killable: Killable): void {
    void killable.abandoned?.then((why) => {
      const left: LeftBehind = { name, pid: killable.pid, threadId: killable.threadId, why };
      this.#left.set(killable, left);
      const warn = setTimeout(() => process.emitWarning(`${describeLeft(left)}; it was killed, and its calls were rejected`, 'MimasWarning'), WARN_AFTER_MS).unref();
      void killable.ended.then(() => {
        clearTimeout(warn);
        this.#left.delete(killable);
      });
    });
  }

  list(): LeftBehind[] {
    return [...this.#left.values()];
  }

  /** Waits until all of them have ended, `ms` at the longest. */
  async ended(ms: number): Promise<void> {
    await within(Promise.all(Array.from(this.#left.keys(), ({ ended }) => ended)), ms);
  }
}

/** `calculator (thread 3): it is stuck …` */
export const describeLeft = ({ name, pid, threadId, why }: LeftBehind): string =>
  `${name}${threadId !== undefined ? ` (thread ${threadId})` : pid !== undefined ? ` (pid ${pid})` : ''}: ${why}`;
