// What the launcher raises: one table of codes, one class. A code says what a caller can do; the suggestion says how.

/** Code to the suggestion that comes with it, unless a better one is known. */
export const LAUNCHER_ERROR_CODES = {
  PATTERN_NOT_FOUND: 'Verify that manifest.yaml exists in a folder of the patterns directory and that `name` matches',
  INVALID_MANIFEST: 'Correct manifest.yaml at the line that is named',
  EXECUTABLE_NOT_FOUND: 'Build the pattern, or correct `executable` in manifest.yaml (it is relative to the manifest)',
  EXECUTABLE_NOT_RUNNABLE: 'Make it executable: chmod +x',
  PROCESS_START_FAILED: 'Look at the cause; nothing of the process is left, and the next launch tries again',
  PROCESS_CRASHED: 'Look at the output of the pattern',
  PROCESS_NOT_FOUND: 'List the processes to see the ids that exist',
  HEALTH_CHECK_FAILED: 'Make sure that the pattern serves its health check on HEALTH_PORT',
  TERMINATION_FAILED: 'Terminate it with force',
  MAX_ERRORS_EXCEEDED: 'Correct what makes it fail, then launch it again: that clears the errors',
  INVALID_CONFIGURATION: 'Correct the option that is named',
  INVALID_ISOLATION_LEVEL: 'Use none, namespace or session',
  VARIABLE_REFUSED: 'Name the variable under `config` in manifest.yaml, if requests may set it',
  MISSING_NAMESPACE: 'Give a namespace, or launch with isolation none',
  MISSING_SESSION_ID: 'Give a session id, or launch with isolation namespace or none',
  PORT_ALLOCATION_FAILED: 'Free some ports, or give another range',
  RESOURCE_LIMIT_EXCEEDED: 'Raise the limit, or end what is not needed',
  RESOURCE_LIMITS_UNAVAILABLE: 'Run where cgroups are writable, or set `resources.enforce: best-effort`',
  LAUNCH_CANCELLED: 'Somebody terminated it meanwhile; launch it again',
  SHUTTING_DOWN: 'Ask another launcher',
  INTERNAL_ERROR: 'This is a bug; please report it',
} as const;

export type LauncherErrorCode = keyof typeof LAUNCHER_ERROR_CODES;
export type LauncherErrorContext = Readonly<Record<string, string | number | boolean | undefined>>;

const BRAND = Symbol.for('mimas.launcher-error');

export interface LauncherErrorFields {
  readonly context?: LauncherErrorContext | undefined;
  readonly cause?: unknown;
  readonly suggestion?: string | undefined;
}

export class LauncherError extends Error {
  readonly code: LauncherErrorCode;
  readonly context: LauncherErrorContext;
  readonly suggestion: string;

  constructor(code: LauncherErrorCode, message: string, fields: LauncherErrorFields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.code = code;
    this.context = Object.fromEntries(Object.entries(fields.context ?? {}).filter(([, value]) => value !== undefined));
    this.suggestion = fields.suggestion ?? LAUNCHER_ERROR_CODES[code];
    Object.defineProperty(this, 'name', { value: 'LauncherError', configurable: true, writable: true });
    Object.defineProperty(this, BRAND, { value: code });
  }

  /** `[CODE] message; Context: k=v, …; Cause: …; Suggestion: …` */
  override toString(): string {
    const context = Object.entries(this.context).map(([key, value]) => `${key}=${value}`);
    return [
      `[${this.code}] ${this.message}`,
      ...(context.length > 0 ? [`Context: ${context.join(', ')}`] : []),
      ...(this.cause === undefined ? [] : [`Cause: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`]),
      `Suggestion: ${this.suggestion}`,
    ].join('; ');
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && BRAND in value;
  }
}

/** The code of a LauncherError; undefined of anything else. */
export const getErrorCode = (error: unknown): LauncherErrorCode | undefined => (error instanceof LauncherError ? error.code : undefined);
export const isErrorCode = (error: unknown, code: LauncherErrorCode): boolean => getErrorCode(error) === code;
/** What a LauncherError says can be done; empty of anything else. */
export const getSuggestion = (error: unknown): string => (error instanceof LauncherError ? error.suggestion : '');

/** The error itself, or an INTERNAL_ERROR around anything else. */
export const toLauncherError = (thrown: unknown): LauncherError =>
  thrown instanceof LauncherError ? thrown : new LauncherError('INTERNAL_ERROR', thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown });
