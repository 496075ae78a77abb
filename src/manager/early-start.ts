// Boots the thread or child of a first spawn while the manager is still loading what supervises it: both take tens of milliseconds.
// Invariant: what was booted is taken over once, or ended.
import type { LineListener } from '../runtime/output.js';
import type { Incarnation, Launch } from '../runtime/runtime.js';
import { launchThread } from '../runtime/thread.js';
import { launch } from './launch.js';
import { launchOptionsOf } from './launch-options.js';
import type { ResolvedOptions } from './options.js';
import type { Remnants } from './remnants.js';

export class EarlyStart {
  /** Settles when the boot has begun, or cannot. What is loaded after that delays nobody. */
  readonly begun: Promise<unknown>;
  readonly #launcher: Promise<Launch>;
  #booting: Promise<Incarnation> | undefined;
  #discarding: Promise<void> | undefined;
  /** Lines from before it was taken over. */
  #lines: Parameters<LineListener>[] = [];
  #onLine: LineListener = (...line) => void this.#lines.push(line);

  constructor(options: ResolvedOptions, launcher: Launch | Promise<Launch>) {
    const order = launchOptionsOf(options, (...line) => this.#onLine(...line));
    this.#launcher = Promise.resolve(launcher);
    // A thread boots within this very call.
    this.#booting = typeof launcher === 'function' ? launcher(order) : launcher.then((launch) => launch(order));
    // What went wrong is said by `launch`.
    this.begun = this.#booting.catch(() => {});
  }

  /** Gives what was booted the first time, new ones later. */
  readonly launch: Launch = async (options) => {
    const booting = this.#booting;
    if (!booting) return (await this.#launcher)(options);
    this.#booting = undefined;
    this.#onLine = options.onLine;
    for (const line of this.#lines.splice(0)) options.onLine(...line);
    return booting;
  };

  /** Ends it, unless it was taken over; resolves when nothing of it is left. */
  discard(): Promise<void> {
    return (this.#discarding ??= this.#discard());
  }

  async #discard(): Promise<void> {
    const booting = this.#booting;
    this.#booting = undefined;
    const incarnation = await booting?.catch(() => undefined);
    incarnation?.kill();
    await incarnation?.gone();
  }
}

/** Undefined where nothing has to boot. */
export function startEarly(options: ResolvedOptions, remnants: Remnants): EarlyStart | undefined {
  if (options.isolation === 'none') return undefined;
  const watching = (launcher: Launch) => remnants.watching(launcher);
  return new EarlyStart(options, options.isolation === 'worker' ? watching(launchThread) : launch(options.isolation).then(watching));
}
