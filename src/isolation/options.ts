// What bulkheads can be told, checked once. An unknown option is refused by name.
import { InvalidOptionError } from '../errors.js';
import { systemClock, type Clock } from '../supervisor/clock.js';
import { warnAbout, type ErrorSink } from '../supervisor/emitter.js';
import { parseDuration, type Duration } from '../units.js';

export interface BulkheadOptions {
  /** Ends the process of a key that was not used for this long (default: never). */
  idleTimeout?: Duration | undefined;
  /** Most processes at a time (default: no limit). When a new key needs room, the least recently used idle one is ended first. */
  maxProcesses?: number | undefined;
  /** How long a key whose process was given up is refused before it is tried afresh (default 30 s). */
  cooldown?: Duration | undefined;
  clock?: Clock | undefined;
  /** Hears what listeners throw, and evictions that fail (default: a process warning). */
  onError?: ErrorSink | undefined;
}

export const BULKHEAD_OPTIONS: readonly string[] = ['idleTimeout', 'maxProcesses', 'cooldown', 'clock', 'onError'];

export interface ResolvedBulkheadOptions {
  readonly idleTimeout: number;
  readonly maxProcesses: number;
  readonly cooldown: number;
  readonly clock: Clock;
  readonly onError: ErrorSink;
}

/** @throws InvalidOptionError */
export function resolveBulkheadOptions({ idleTimeout = Infinity, maxProcesses = Infinity, cooldown = 30_000, clock = systemClock, onError = warnAbout }: BulkheadOptions): ResolvedBulkheadOptions {
  const idle = parseDuration(idleTimeout, 'idleTimeout');
  // Zero reads as "never" to some and as "at once" to others.
  if (idle === 0) throw new InvalidOptionError('idleTimeout: it must be longer than 0; leave it out to keep idle processes', { option: 'idleTimeout' });
  if (maxProcesses !== Infinity && !(Number.isInteger(maxProcesses) && maxProcesses >= 1)) {
    throw new InvalidOptionError(`maxProcesses: ${JSON.stringify(maxProcesses)} is not a whole number of at least 1`, { option: 'maxProcesses' });
  }
  return { idleTimeout: idle, maxProcesses, cooldown: parseDuration(cooldown, 'cooldown'), clock, onError };
}
