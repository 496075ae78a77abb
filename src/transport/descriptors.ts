// How many files and sockets this process may have open, and whether a descriptor is one of the last.
import { readFileSync } from 'node:fs';

/** So many are kept for what the process does itself: files, pipes of children, calls to others. At most an eighth of all. */
const RESERVE = 64;

/** The soft limit of this process. Infinity where the system does not tell. */
export function descriptorLimit(): number {
  try {
    const found = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return found ? Number(found[1]) : Infinity;
  } catch {
    return Infinity;
  }
}

/** From this number on a descriptor is one of the last. A new one always gets the lowest number that is free. */
export const lastDescriptors = (limit: number): number => limit - Math.min(RESERVE, Math.floor(limit / 8));

/** The number of a socket's descriptor; -1 where there is none to be known. */
export const descriptorOf = (socket: object): number => (socket as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
