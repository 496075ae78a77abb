// What an operating system does not have is refused by name where it is asked for, instead of failing later in its own words, or silently.
import { UnsupportedOptionError } from '../errors.js';

/** Windows has no signals that can be handled, no process groups, and no unix sockets that Node could use. */
export const onWindows = (): boolean => process.platform === 'win32';

export const NO_SOCKETS = 'Node has no unix sockets there';

/** @throws UnsupportedOptionError on Windows. `instead` says what works there */
export function refuseOnWindows(option: string, why: string, instead: string): void {
  if (onWindows()) throw new UnsupportedOptionError(`${option} does not work on Windows: ${why}; ${instead}`, { option });
}
