// What the end of a call says about the pool: may it be run again, does it count against the breaker?
import { CallTimeoutError, LinkClosedError, MemoryLimitError, ProcessCrashedError, ProcessStoppedError } from '../errors.js';

const codeOf = (error: unknown): string | undefined => {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
};

/** The process that ran it is gone. */
export const isDeath = (error: unknown): boolean => error instanceof ProcessCrashedError || error instanceof LinkClosedError || error instanceof MemoryLimitError || error instanceof ProcessStoppedError;

/** Wrong with the call itself: another try would end the same way. */
const CALLERS_FAULT: ReadonlySet<string> = new Set(['METHOD_NOT_FOUND', 'NOT_CLONEABLE', 'FRAME_TOO_LARGE', 'INVALID_OPTION', 'UNKNOWN_OPTION', 'UNSUPPORTED_OPTION']);
/** It never ran, because the pool is busy, closed or given up. */
const NEVER_RAN: ReadonlySet<string> = new Set(['QUEUE_FULL', 'QUEUE_TIMEOUT', 'CIRCUIT_OPEN', 'RESTARTS_EXHAUSTED']);

/** What a second try may mend. */
export function isRetryable(error: unknown): boolean {
  if (isDeath(error) || error instanceof CallTimeoutError) return true;
  const code = codeOf(error);
  return code === undefined || !(CALLERS_FAULT.has(code) || NEVER_RAN.has(code));
}

/** Whether it counts for the breaker as a failure; undefined: neither as one nor as a success. */
export function isFailure(error: unknown): true | undefined {
  const code = codeOf(error);
  return code !== undefined && (CALLERS_FAULT.has(code) || code === 'QUEUE_FULL' || code === 'PROCESS_STOPPED') ? undefined : true;
}
