// `prism.launcher.PatternLauncher` over a Launcher: messages in, messages out, and the right status code for each error.
import { Metadata, status, type handleUnaryCall, type ServiceError, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { LauncherError, toLauncherError, type LauncherErrorCode } from './errors.js';
import type { IsolationLevel } from './ids.js';
import type { Launcher } from './launcher.js';
import type { ProcessInfo, ProcessState } from './report.js';

export const LAUNCHER_SERVICE = 'prism.launcher.PatternLauncher';
/** Trailing metadata of an error: the code of the LauncherError. */
export const ERROR_CODE_METADATA = 'mimas-error-code';

const LEVELS: Readonly<Record<string, IsolationLevel | undefined>> = { ISOLATION_NONE: 'none', ISOLATION_NAMESPACE: 'namespace', ISOLATION_SESSION: 'session' };

const STATUS: Readonly<Partial<Record<LauncherErrorCode, status>>> = {
  PATTERN_NOT_FOUND: status.NOT_FOUND,
  PROCESS_NOT_FOUND: status.NOT_FOUND,
  INVALID_CONFIGURATION: status.INVALID_ARGUMENT,
  INVALID_ISOLATION_LEVEL: status.INVALID_ARGUMENT,
  MISSING_NAMESPACE: status.INVALID_ARGUMENT,
  MISSING_SESSION_ID: status.INVALID_ARGUMENT,
  VARIABLE_REFUSED: status.PERMISSION_DENIED,
  INVALID_MANIFEST: status.FAILED_PRECONDITION,
  EXECUTABLE_NOT_FOUND: status.FAILED_PRECONDITION,
  EXECUTABLE_NOT_RUNNABLE: status.FAILED_PRECONDITION,
  RESOURCE_LIMITS_UNAVAILABLE: status.FAILED_PRECONDITION,
  MAX_ERRORS_EXCEEDED: status.FAILED_PRECONDITION,
  PORT_ALLOCATION_FAILED: status.RESOURCE_EXHAUSTED,
  RESOURCE_LIMIT_EXCEEDED: status.RESOURCE_EXHAUSTED,
  LAUNCH_CANCELLED: status.ABORTED,
  SHUTTING_DOWN: status.UNAVAILABLE,
};

interface Int64 { toNumber(): number }
type Seconds = number | Int64;
interface LaunchMessage { patternName: string; isolation: string; namespace: string; sessionId: string; config: Record<string, string>; gracePeriodSecs: Seconds }
interface ListMessage { patternName: string; namespace: string; state: string | number }
interface TerminateMessage { processId: string; gracePeriodSecs: Seconds; force: boolean }

export function launcherService(launcher: Launcher): UntypedServiceImplementation {
  return {
    LaunchPattern: unary(async (request: LaunchMessage) => {
      if (!request.patternName) throw new LauncherError('INVALID_CONFIGURATION', 'pattern_name is required', { suggestion: 'Name a pattern' });
      const level = LEVELS[request.isolation];
      if (level === undefined && request.isolation !== 'ISOLATION_LEVEL_UNSPECIFIED') throw new LauncherError('INVALID_ISOLATION_LEVEL', `unknown isolation level ${request.isolation}`);
      const info = await launcher.launch({
        pattern: request.patternName,
        isolation: level,
        namespace: request.namespace,
        session: request.sessionId,
        config: request.config,
        gracePeriod: grace(request.gracePeriodSecs),
      });
      return { processId: info.processId, state: `STATE_${info.state}`, address: info.address, healthy: info.healthy, error: '' };
    }, 'failed to launch process: '),

    ListPatterns: unary(({ patternName, namespace, state }: ListMessage) => {
      // A number that the enum does not have arrives as it is.
      if (typeof state !== 'string') throw new LauncherError('INVALID_CONFIGURATION', `unknown state ${String(state)}`, { suggestion: 'Filter by a state of the enum ProcessState' });
      const wanted = state === 'STATE_UNSPECIFIED' ? undefined : (state.replace(/^STATE_/, '') as ProcessState);
      const patterns = launcher.list({ pattern: patternName, namespace, state: wanted }).map(patternInfo);
      return { patterns, totalCount: launcher.health().totalProcesses };
    }),

    TerminatePattern: unary(async ({ processId, gracePeriodSecs, force }: TerminateMessage) => {
      requireId(processId);
      const gracePeriod = grace(gracePeriodSecs);
      try {
        await launcher.terminate(processId, { gracePeriod, force });
        return { success: true, error: '' };
      } catch (error) {
        if (error instanceof LauncherError && error.code === 'PROCESS_NOT_FOUND') throw error;
        // A termination that fails is an answer, not an error of the call.
        return { success: false, error: (error as Error).message };
      }
    }),

    GetProcessStatus: unary(({ processId }: { processId: string }) => {
      requireId(processId);
      const info = launcher.status(processId);
      return info ? { process: patternInfo(info), notFound: false } : { notFound: true };
    }),

    Health: unary(({ includeProcesses }: { includeProcesses: boolean }) => ({ ...launcher.health(), processes: includeProcesses ? launcher.list().map(patternInfo) : [] })),
  };
}

const patternInfo = (info: ProcessInfo) => ({
  patternName: info.pattern,
  processId: info.processId,
  state: `STATE_${info.state}`,
  address: info.address,
  healthy: info.healthy,
  uptimeSeconds: info.uptimeSeconds,
  namespace: info.namespace,
  sessionId: info.session,
  lastError: info.lastErrorCode ? `[${info.lastErrorCode}] ${info.lastError}` : '',
  errorCount: info.errorCount,
  restartCount: info.restartCount,
  pid: info.pid ?? 0,
});

function requireId(processId: string): void {
  if (!processId) throw new LauncherError('INVALID_CONFIGURATION', 'process_id is required', { suggestion: 'Name a process' });
}

/** Milliseconds; 0 seconds means that nothing was asked for. */
function grace(seconds: Seconds): number | undefined {
  const value = typeof seconds === 'number' ? seconds : seconds.toNumber();
  if (value < 0) throw new LauncherError('INVALID_CONFIGURATION', `grace_period_secs must not be negative, got ${value}`, { suggestion: 'Give seconds, or 0 for the default' });
  return value === 0 ? undefined : value * 1000;
}

function unary<Request, Response>(handle: (request: Request) => Response | Promise<Response>, internalPrefix = ''): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    void (async () => handle(call.request))().then(
      (response) => callback(null, response),
      (thrown: unknown) => callback(serviceError(toLauncherError(thrown), internalPrefix)),
    );
  };
}

function serviceError(error: LauncherError, internalPrefix: string): Partial<ServiceError> {
  const code = STATUS[error.code] ?? status.INTERNAL;
  const metadata = new Metadata();
  metadata.set(ERROR_CODE_METADATA, error.code);
  return { code, details: code === status.INTERNAL ? `${internalPrefix}${error.message}` : error.message, metadata };
}
