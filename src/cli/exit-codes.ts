// What the exit code of `mimas` says. `mimas --help` and the README list them; scripts may rely on them.

export const EXIT = { done: 0, failed: 1, usage: 2, start: 3, unreachable: 4, exhausted: 5 } as const;

/** Of a process that a signal ended. */
export const SIGNAL_BASE = 128;

/** Those that ask a command in the foreground to stop, with their numbers. */
export const STOP_SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
export type StopSignal = keyof typeof STOP_SIGNALS;

const BY_CODE: Readonly<Record<string, number>> = {
  UNKNOWN_OPTION: EXIT.usage,
  UNSUPPORTED_OPTION: EXIT.usage,
  INVALID_OPTION: EXIT.usage,
  PROCESS_START_FAILED: EXIT.start,
  INIT_FAILED: EXIT.start,
  MEMORY_LIMIT: EXIT.start,
  LINK_CLOSED: EXIT.unreachable,
  UNAUTHORIZED: EXIT.unreachable,
  RESTARTS_EXHAUSTED: EXIT.exhausted,
};

/** The exit code for an error that came before the process was up. */
export const exitCodeOf = (error: unknown): number => BY_CODE[String((error as { code?: unknown } | null)?.code)] ?? EXIT.failed;
