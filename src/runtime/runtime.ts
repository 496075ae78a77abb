// What the manager needs of a place where code can live. One implementation a kind of isolation: inline, thread, child.
import type { Link } from '../rpc/link.js';
import type { Isolation, LatencyMode } from '../types.js';
import type { LineListener } from './output.js';
import type { Overflow } from './tap.js';

/** How an incarnation ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What was thrown, where the isolation can tell. */
  readonly error?: Error | undefined;
  readonly outOfMemory: boolean;
}

export interface LaunchOptions {
  /** For the names of threads and messages. */
  readonly name: string;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly cwd?: string | undefined;
  readonly argv?: readonly string[] | undefined;
  readonly execArgv?: readonly string[] | undefined;
  /** Bytes, heap and all else together. */
  readonly maxMemory?: number | undefined;
  /** Percent of a core. */
  readonly maxCpu?: number | undefined;
  readonly maxFrame?: number | undefined;
  readonly latency?: LatencyMode | undefined;
  /** Pass what it prints on to this program's own output. */
  readonly inheritOutput: boolean;
  /** Default `wait`. */
  readonly overflow?: Overflow | undefined;
  readonly onLine: LineListener;
}

/** One running thread, child or in-process host. */
export interface Incarnation {
  readonly isolation: Isolation;
  /** The owner's link: control calls, and with `ipc` all calls. */
  readonly link: Link;
  readonly pid: number | undefined;
  readonly threadId: number | undefined;
  /** Resolves once, when the code no longer runs, or a moment after `kill`: what it does from then on is not heard. Never rejects. */
  readonly exited: Promise<Exit>;
  /** Resolves when it really has ended, however long that takes. */
  readonly ended: Promise<void>;
  /** Resolves, with why, when it was killed and is waited for no longer although it has not ended. Missing where that cannot be. */
  readonly abandoned?: Promise<string> | undefined;
  lines(): readonly string[];
  stderrTail(): string;
  /** Resolves when the last output has arrived, at the latest after `limit` ms. */
  outputEnded(limit: number): Promise<void>;
  /** Ends it the polite way of its kind: SIGTERM for a child; false where there is none. */
  terminate(signal?: NodeJS.Signals): boolean;
  /** How often the kernel has slowed it down to its limit. Missing where it cannot. */
  throttled?(): number;
  /** Ends it when it holds more than its limit, for which it is asked through `ask` what it holds after a collection. Missing where it sees to that itself. */
  boundMemory?(ask: (limit: number) => Promise<number>): void;
  /** Ends it for sure, with all it started in its process group. */
  kill(): void;
  /** Resolves when nothing of it is left; in bounded time after `exited`, for then it is `abandoned`. */
  gone(): Promise<void>;
}

export type Launch = (options: LaunchOptions) => Promise<Incarnation>;
