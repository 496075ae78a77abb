// Every error that Mimas raises by itself: one table of codes, one class a code.
// A brand (`Symbol.for`) keeps `instanceof` true when two copies of the package meet in one program.
import { types } from 'node:util';

/** Code to meaning. The type of `code`, the classes below and `docs/errors.md` follow this table. */
export const ERROR_CODES = {
  PROCESS_START_FAILED: 'a process could not be brought up; `phase` says how far it came: resolve, load, construct, init or ready',
  INIT_FAILED: 'the `init()` of a process threw; `cause` is what it threw',
  PROCESS_CRASHED: 'a process died with the call in flight',
  PROCESS_STOPPED: 'the process was stopped (or is stopping) and takes no more calls',
  RESTARTS_EXHAUSTED: 'a process failed more often than its restart policy allows; `limit` names the option. With `retryAfter` (ms) it is tried again by itself, else by an explicit restart',
  MEMORY_LIMIT: 'a process went over `resources.maxMemory` and was ended',
  CALL_TIMEOUT: 'the method did not settle within its `timeout` (run time, not queue time)',
  QUEUE_TIMEOUT: 'the call waited longer than `queueTimeout` for a process that could take it',
  QUEUE_FULL: 'too many calls wait already; `retryAfter` is an estimate in milliseconds',
  CIRCUIT_OPEN: 'the circuit breaker of a pool is open, or (`method`) `poison` refuses a method that ends replicas; `retryAfter` says for how long, in milliseconds',
  CALL_CANCELLED: 'the call was cancelled',
  METHOD_NOT_FOUND: 'the process has no such @Public() method',
  NOT_CLONEABLE: 'an argument or result cannot cross the border; `path` says which part',
  FRAME_TOO_LARGE: 'one call or result is larger than `maxFrame`; the link stays up',
  PROTOCOL_ERROR: 'the peer sent a frame that makes no sense; the link was closed',
  LINK_CLOSED: 'the connection to the process was lost or closed',
  CALLBACK_RELEASED: 'a function that was passed as an argument was called after its call had settled; `keep(fn)` holds it longer',
  UNAUTHORIZED: 'the peer did not show the right token or certificate',
  UNKNOWN_OPTION: 'an option that Mimas does not know',
  UNSUPPORTED_OPTION: 'an option that cannot work in this combination',
  INVALID_OPTION: 'an option whose value makes no sense',
  PACKAGE_MISSING: 'a feature needs `packages` that do not come with Mimas; `command` installs them',
  BUNDLED: 'a part of Mimas that loads files of the package is inside a bundle, and the package is not where the bundle is; keep `mimas` out of the bundle',
  INVALID_PROCESS: 'a decorator was used where it cannot work',
  ISOLATION_FULL: 'all `maxProcesses` processes of an isolation are at work, so none can be evicted for another key',
  UNIT_NOT_FOUND: 'no process or unit with this id',
  SHUTDOWN_INCOMPLETE: 'something outlived the shutdown deadline; `left` names it: name, pid or thread id, and why',
  PIPELINE_INVALID: 'a pipeline file makes no sense; `problems` lists where and why',
  COMPONENT_FAILED: 'a component of a pipeline could not be started, or was given up; `component` names it and `lastLines` is what it printed last',
  ENGINE_UNAVAILABLE: 'no container engine answers',
  PIPELINE_NOT_RUNNING: 'no such pipeline runs here, or several do and none was named',
  PIPELINE_RUNNING: 'a pipeline with this name runs already',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

const BRAND = Symbol.for('mimas.error');

/** What all errors of Mimas share: a stable `code`, and own fields that say where. */
export class MimasError extends Error {
  readonly code: ErrorCode;
  /**
   * Of an error that ended a call: true when the method may have begun, false when it never did, so that the call can be made again.
   * Not set on an error that ended none, as one of `spawn`.
   */
  declare readonly maybeExecuted?: boolean;

  constructor(code: ErrorCode, message: string, fields: { cause?: unknown; [field: string]: unknown } = {}) {
    const { cause, ...own } = fields;
    super(message, 'cause' in fields ? { cause } : undefined);
    this.code = code;
    Object.defineProperty(this, 'name', { value: new.target.name, configurable: true, writable: true });
    Object.defineProperty(this, BRAND, { value: code });
    for (const [key, value] of Object.entries(own)) if (value !== undefined) (this as Record<string, unknown>)[key] = value;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== 'object' || value === null) return false;
    const brand = (value as Record<symbol, unknown>)[BRAND];
    if (brand === undefined) return false;
    if (this === (MimasError as unknown)) return true;
    const own = (this as { code?: ErrorCode }).code;
    return own === undefined ? Function.prototype[Symbol.hasInstance].call(this, value) : brand === own;
  }
}

const isNear = (value: unknown): value is Error => value instanceof Error || types.isNativeError(value);
/**
 * Whether it is an error, of whichever realm: what Node itself throws and aborts with is no `instanceof Error` to modules that Jest and
 * vm pools of vitest evaluate, nor is its DOMException a native error.
 */
export const isError: (value: unknown) => value is Error =
  typeof DOMException !== 'function' || DOMException.prototype instanceof Error ? isNear : (value): value is Error => isNear(value) || value instanceof DOMException;

type Options<Fields> = { cause?: unknown } & Fields;
interface CodedClass<Code extends ErrorCode, Fields> {
  readonly code: Code;
  new (message: string, fields?: Options<Partial<Fields>>): MimasError & { readonly code: Code } & Readonly<Fields>;
}

const classes = new Map<ErrorCode, new (message: string, fields?: { cause?: unknown }) => MimasError>();

/** The class of a code, for rebuilding an error that crossed a border. */
export const errorClassOf = (code: string) => classes.get(code as ErrorCode);

function coded<Code extends ErrorCode, Fields = object>(code: Code): CodedClass<Code, Fields> {
  class Coded extends MimasError {
    static readonly code = code;
    constructor(message: string, fields?: Options<Partial<Fields>>) {
      super(code, message, fields);
    }
  }
  return Coded as unknown as CodedClass<Code, Fields>;
}

/** How far the start of a process came. */
export type StartPhase = 'resolve' | 'load' | 'construct' | 'init' | 'ready';
interface Start { file: string; phase: StartPhase; stderrTail?: string; exitCode?: number | null; signal?: string | null }

export class ProcessStartError extends coded<'PROCESS_START_FAILED', Start>('PROCESS_START_FAILED') {}
export class InitError extends coded<'INIT_FAILED', Start>('INIT_FAILED') {}
export class ProcessCrashedError extends coded<'PROCESS_CRASHED', { process: string; method: string; exitCode: number | null; signal: string | null; stderrTail: string }>('PROCESS_CRASHED') {}
export class ProcessStoppedError extends coded<'PROCESS_STOPPED', { process: string; method?: string }>('PROCESS_STOPPED') {}
export class RestartsExhaustedError extends coded<'RESTARTS_EXHAUSTED', { process: string; restarts: number; limit?: 'maxRestarts' | 'maxFailures'; retryAfter?: number }>('RESTARTS_EXHAUSTED') {}
export class MemoryLimitError extends coded<'MEMORY_LIMIT', { process: string; limit: number; method: string }>('MEMORY_LIMIT') {}
export class CallTimeoutError extends coded<'CALL_TIMEOUT', { method: string; process: string; timeout: number }>('CALL_TIMEOUT') {}
export class QueueTimeoutError extends coded<'QUEUE_TIMEOUT', { method: string; process: string; queueTimeout: number }>('QUEUE_TIMEOUT') {}
export class QueueFullError extends coded<'QUEUE_FULL', { process: string; maxQueue: number; retryAfter: number }>('QUEUE_FULL') {}
export class CircuitOpenError extends coded<'CIRCUIT_OPEN', { pool: string; retryAfter: number; method?: string }>('CIRCUIT_OPEN') {}
export class CallCancelledError extends coded<'CALL_CANCELLED', { method?: string }>('CALL_CANCELLED') {}
export class MethodNotFoundError extends coded<'METHOD_NOT_FOUND', { method: string; process: string; suggestion?: string; methods: readonly string[] }>('METHOD_NOT_FOUND') {}
export class NotCloneableError extends coded<'NOT_CLONEABLE', { path: string; method?: string }>('NOT_CLONEABLE') {}
export class FrameTooLargeError extends coded<'FRAME_TOO_LARGE', { size: number; limit: number }>('FRAME_TOO_LARGE') {}
export class ProtocolError extends coded<'PROTOCOL_ERROR'>('PROTOCOL_ERROR') {}
export class LinkClosedError extends coded<'LINK_CLOSED', { process?: string; method?: string }>('LINK_CLOSED') {}
export class CallbackReleasedError extends coded<'CALLBACK_RELEASED'>('CALLBACK_RELEASED') {}
export class UnauthorizedError extends coded<'UNAUTHORIZED'>('UNAUTHORIZED') {}
export class UnknownOptionError extends coded<'UNKNOWN_OPTION', { option: string; suggestion?: string }>('UNKNOWN_OPTION') {}
export class UnsupportedOptionError extends coded<'UNSUPPORTED_OPTION', { option: string }>('UNSUPPORTED_OPTION') {}
export class InvalidOptionError extends coded<'INVALID_OPTION', { option: string }>('INVALID_OPTION') {}
export class PackageMissingError extends coded<'PACKAGE_MISSING', { feature: string; packages: readonly string[]; command: string }>('PACKAGE_MISSING') {}
export class BundledError extends coded<'BUNDLED'>('BUNDLED') {}
export class InvalidProcessError extends coded<'INVALID_PROCESS'>('INVALID_PROCESS') {}
export class IsolationFullError extends coded<'ISOLATION_FULL', { id: string; maxProcesses: number }>('ISOLATION_FULL') {}
export class UnitNotFoundError extends coded<'UNIT_NOT_FOUND', { id: string }>('UNIT_NOT_FOUND') {}
/** What outlived a shutdown. */
export interface LeftBehind { readonly name: string; readonly pid?: number | undefined; readonly threadId?: number | undefined; readonly why: string }
export class ShutdownIncompleteError extends coded<'SHUTDOWN_INCOMPLETE', { left: readonly LeftBehind[] }>('SHUTDOWN_INCOMPLETE') {}
export class PipelineInvalidError extends coded<'PIPELINE_INVALID', { problems: readonly { message: string }[] }>('PIPELINE_INVALID') {}
export class ComponentFailedError extends coded<'COMPONENT_FAILED', { component: string; exitCode: number | null; signal: string | null; lastLines: readonly string[] }>('COMPONENT_FAILED') {}
export class EngineUnavailableError extends coded<'ENGINE_UNAVAILABLE'>('ENGINE_UNAVAILABLE') {}
export class PipelineNotRunningError extends coded<'PIPELINE_NOT_RUNNING'>('PIPELINE_NOT_RUNNING') {}
export class PipelineRunningError extends coded<'PIPELINE_RUNNING'>('PIPELINE_RUNNING') {}

for (const exported of [
  ProcessStartError, InitError, ProcessCrashedError, ProcessStoppedError, RestartsExhaustedError, MemoryLimitError, CallTimeoutError,
  QueueTimeoutError, QueueFullError, CircuitOpenError, CallCancelledError, MethodNotFoundError, NotCloneableError, FrameTooLargeError, ProtocolError,
  LinkClosedError, CallbackReleasedError, UnauthorizedError, UnknownOptionError, UnsupportedOptionError, InvalidOptionError,
  PackageMissingError, BundledError, InvalidProcessError, IsolationFullError, UnitNotFoundError, ShutdownIncompleteError, PipelineInvalidError, ComponentFailedError, EngineUnavailableError,
  PipelineNotRunningError, PipelineRunningError,
]) classes.set(exported.code, exported as never);

/**
 * An error of a class that this side does not know. `name` is the original's name; `code` and the original's own fields
 * stand on it as they did on the original. Register the class on both sides (`registerErrorClass`) to get the class itself.
 */
export class RemoteError extends Error {
  code?: unknown;
  [field: string]: unknown;

  constructor(message: string, name: string, options?: { cause?: unknown }) {
    super(message, options && 'cause' in options ? { cause: options.cause } : undefined);
    Object.defineProperty(this, 'name', { value: name, configurable: true, writable: true });
    Object.defineProperty(this, BRAND_REMOTE, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && BRAND_REMOTE in value;
  }
}
const BRAND_REMOTE = Symbol.for('mimas.remote-error');

/** Longer names have nothing near that a person could have meant. */
const LONGEST_GUESSED = 100;

/** So many slips of the pen make another word of the same length look like this one, and no more are taken for slips. */
const slipsIn = (name: string): number => Math.min(3, Math.max(1, Math.floor((name.length + 1) / 4)));

/** The nearest of `known` to a misspelt `name`, or undefined when none is near. (Letters left out, added, changed, or two of them swapped.) */
export function closest(name: string, known: Iterable<string>): string | undefined {
  if (name.length > LONGEST_GUESSED) return undefined;
  const wanted = name.toLowerCase();
  let best: string | undefined;
  // One letter is like any other.
  let bestDistance = Math.min(slipsIn(name), name.length - 1) + 1;
  for (const candidate of known) {
    // So many have to be put in or taken out at least.
    if (Math.abs(candidate.length - name.length) >= bestDistance) continue;
    const distance = slips(wanted, candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Optimal string alignment. `limit` or more: it is not worked out. */
function slips(a: string, b: string, limit: number): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      const cost = Math.min(row[j - 1]! + 1, previous[j]! + 1, previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? before[j - 2]! + 1 : cost;
      row.push(Math.min(cost, swapped));
      least = Math.min(least, row[j]!);
    }
    // A swap looks two rows back.
    if (least >= limit && Math.min(...previous) >= limit) return limit;
    [before, previous] = [previous, row];
  }
  return previous[b.length]!;
}
