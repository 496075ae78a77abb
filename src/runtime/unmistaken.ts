// A look whose good answer counts only when it is that of the thing itself: what another program answers is no health of this one.
// Asked of the first good answer, and of each that comes after a bad one.
import { runCheck, type Check, type CheckResult } from './probes.js';

/** `foreign` says that somebody else listens on a port, if so. */
export function unmistaken(foreign: ((port: number) => string | undefined) | undefined) {
  let known = false;
  return async (check: Check, timeout: number, signal: AbortSignal): Promise<CheckResult> => {
    const result = await runCheck(check, timeout, signal);
    const other = result.ok && !known && (check.type === 'http' || check.type === 'tcp') ? foreign?.(check.port) : undefined;
    known = result.ok && other === undefined;
    return other === undefined ? result : { ok: false, message: other };
  };
}
