// What a schedule runs in: processes behind proxies, and how to see whether anything was left behind on either side.
import type { Isolation } from 'mimas';
import type { Proxy } from './operation.js';

/** Of a process by plan or by force, or of the link to it alone. */
export type End = 'restart' | 'die' | 'cut';

/** Seen on one side, or both where both are in reach. */
export type Leftovers = Readonly<Record<string, unknown>>;

export interface World {
  readonly calc: Proxy;
  readonly other: Proxy;
  /** Options that send calls of one key to one replica. */
  pin(key: string): Proxy;
  /** What calls have left behind by now; empty when it is nothing. May take turns of the processes. */
  left(): Promise<Leftovers>;
  /** Waits until garbage is collected on all sides, and says what is left behind then. */
  collected(): Promise<Leftovers>;
  /** For messages: how its processes are. */
  state?(): string;
  /** Ends a process and resolves when what takes its place runs. */
  disturb?(who: 'calc' | 'other', how: End): Promise<void>;
  end(): Promise<void>;
}

export interface Cell {
  readonly name: string;
  /** Schedules in CI. */
  readonly runs: number;
  /** Calls go to several processes. */
  readonly pool?: boolean;
  /** Few calls may be under way at once, so that most of them wait. */
  readonly few?: boolean;
  /** Ends that processes meet while they work. */
  readonly disturbed?: readonly End[];
  make(): Promise<World>;
}

export type Process = { readonly isolation: Isolation; readonly transport: 'ipc' | 'unix' | 'tcp' | 'ws' };

/** The fields of `counts` that are not 0. */
export const nonZero = (counts: Readonly<Record<string, number>>): Record<string, number> => Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));

/** `left` under a name, if it is anything. */
export const named = (name: string, left: Leftovers): Leftovers => (Object.keys(left).length === 0 ? {} : { [name]: left });
