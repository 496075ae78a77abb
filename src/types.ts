// The types that users and layers share. No run-time code.
import type { Bytes, Duration } from './units.js';

/** Where a process lives: this thread, a worker thread, or a child process. */
export type Isolation = 'none' | 'worker' | 'child';
/** `'low'`: both sides of the link poll for a moment before they sleep, while calls follow each other closely. */
export type LatencyMode = 'normal' | 'low';
/** How calls reach it. `ipc` is the native channel of the isolation; `http` is another name for `ws`. */
export type TransportName = 'ipc' | 'unix' | 'tcp' | 'ws' | 'http';

export type ProcessStatus = 'starting' | 'running' | 'restarting' | 'stopping' | 'stopped' | 'failed';

/** Options of one call, given through `proxy.$with(options).method(...)`. */
export interface CallOptions {
  /** Cancels the call; it rejects with the signal's own reason and the method sees `currentCall().signal` abort. */
  signal?: AbortSignal;
  /** Longest run time in ms (or `'30s'`); counted from dispatch. Default: the method's own, else the manager's, else none. */
  timeout?: Duration;
  /** Longest time to wait for a process that can take the call (restart, pool slot). Default: 30 s. */
  queueTimeout?: Duration;
  /** Routing key for `consistent-hash` pools. */
  key?: string;
  /** Buffers (and ports) to move instead of copy. */
  transfer?: readonly Transferable[];
  /** Headers that travel with the call and with the calls that it makes. */
  headers?: Readonly<Record<string, string>>;
  /** Overrides `@Public({ idempotent })`: may be run again when the process dies. */
  idempotent?: boolean;
  /** While the process restarts: wait (default, bounded by `queueTimeout`) or fail at once. */
  whileRestarting?: 'wait' | 'fail';
}

/** An object that can be moved instead of copied. Ours, because Node's own name for it differs from version to version. */
export type Transferable = ArrayBuffer | import('node:worker_threads').MessagePort | import('node:fs/promises').FileHandle | ReadableStream | WritableStream | TransformStream;

/** What a proxy is to the compiler where no type argument says of which class: anything, unchecked. */
export type Untyped = any;

type AnyMethod = (...args: never[]) => unknown;
type IsAny<T> = 0 extends 1 & T ? true : false;

/** The result of a remote method that streams: iterate it directly, or await it for the iterable. */
export type RemoteStream<Item> = Promise<AsyncIterableIterator<Item>> & AsyncIterable<Item>;

/** What a remote method gives for a method that returns `R`. */
export type RemoteResult<R> = IsAny<R> extends true
  ? Promise<R> & AsyncIterable<R>
  : [Awaited<R>] extends [never]
    ? Promise<never>
    : [Awaited<R>] extends [ReadableStream<infer Item>]
      ? Promise<ReadableStream<Item>> & AsyncIterable<Item>
      : [Awaited<R>] extends [AsyncIterable<infer Item>]
        ? RemoteStream<Item>
        : [Awaited<R>] extends [Iterator<infer Item, unknown, never>]
          ? RemoteStream<Item>
          : Promise<Awaited<R>>;

type RemoteMethod<F> = IsAny<F> extends true ? (...args: Untyped[]) => RemoteResult<Untyped> : F extends (...args: infer Args) => infer R ? (...args: Args) => RemoteResult<R> : never;
type Reserved = `$${string}` | `__${string}` | 'then' | 'init' | 'constructor';

/**
 * The typed proxy of a process of class `T`: its methods, made asynchronous; generators become async iterables; fields, private
 * and protected members, `init` and names that begin with `$` or `__` are gone. Overloaded methods keep their last signature
 * only, and generic methods lose their type parameters (both are limits of mapped types). Decorators tell the compiler
 * nothing: methods without `@Public()`, such as health checks and shutdown hooks, show here and are refused when they are
 * called. `protected` hides those that only the process itself calls; decorators may stand on them all the same.
 */
export type Remote<T, Handle = ProcessHandle> = {
  readonly [K in keyof T as K extends string ? (K extends Reserved ? never : T[K] extends AnyMethod ? K : never) : never]: RemoteMethod<T[K]>;
} & RemoteControl<T, Handle>;

export interface RemoteControl<T, Handle> {
  /** The same proxy with options for each call made through it. */
  $with(options: CallOptions): Remote<T, Handle>;
  /** Control and facts: id, status, health, metrics, stop, restart, events. */
  readonly $handle: Handle;
  /** The id of the process. */
  readonly __processId: string;
  /** `await using` ends the process, pool or connection with the block. */
  [Symbol.asyncDispose](): Promise<void>;
}

export type HealthLevel = 'healthy' | 'degraded' | 'unhealthy';

export interface HealthCheckResult {
  name: string;
  status: 'pass' | 'warn' | 'fail';
  message?: string;
  details?: unknown;
}

/** What a `@HealthCheck()` method returns and what `pm.getHealth(id)` gives. */
export interface HealthStatus {
  status: HealthLevel;
  checks: HealthCheckResult[];
  /** Epoch milliseconds of the report. */
  timestamp?: number;
}

/** Milliseconds, from an HDR histogram with a resolution of one microsecond. */
export interface Latency {
  p50: number;
  p95: number;
  p99: number;
  mean: number;
  max: number;
}

export interface MethodMetrics {
  requests: number;
  errors: number;
  /** Processes that died; of a method: those that died with a call of it which may have ended them. */
  deaths: number;
  latency: Latency;
}

export interface ProcessMetrics extends MethodMetrics {
  /** Percent of one core over `rateWindow`: of the thread for `worker`, of the process otherwise. */
  cpu: number;
  /** Bytes: the heap and buffers of the thread for `worker`, resident set otherwise. */
  memory: number;
  /** Share of time that the event loop was busy over `rateWindow`, 0 to 1. */
  eventLoopUtilization: number;
  /**
   * Milliseconds up to the reading that `cpu` and `eventLoopUtilization` are taken over: a second or more, since the last readings, or the
   * time since the start. 0 while it runs for less than 250 ms: nothing can be said then, and both are 0.
   */
  rateWindow: number;
  /** Calls sent and not yet settled. */
  inFlight: number;
  /** Calls that wait for a process to take them. */
  queued: number;
  restarts: number;
  /** Milliseconds since the current incarnation became ready. */
  uptime: number;
  methods: Record<string, MethodMetrics>;
}

export interface ProcessEvents {
  /** It came up; `incarnation` counts from 1. */
  ready: { incarnation: number };
  /** `methods`: of the calls that may have ended it. */
  crash: { error: Error; exitCode: number | null; signal: string | null; methods: readonly string[] };
  restart: { attempt: number; delay: number };
  stop: { reason: string };
  /** A limit of its restart policy is met: `limit` says which. With `retryAfter` (ms) it is tried again by itself, as in a pool; else it is given up. */
  failed: { error: Error; limit: 'maxRestarts' | 'maxFailures'; retryAfter?: number };
  health: HealthStatus;
  log: { stream: 'stdout' | 'stderr'; line: string };
  status: { from: ProcessStatus; to: ProcessStatus };
}

/** Control of one process. Stays valid across restarts. */
export interface ProcessHandle {
  readonly id: string;
  readonly name: string;
  readonly version: string | undefined;
  readonly file: string;
  readonly isolation: Isolation;
  readonly transport: TransportName;
  readonly status: ProcessStatus;
  /** Operating system process id: the host's own for `none` and `worker`. */
  readonly pid: number | undefined;
  readonly threadId: number | undefined;
  /** Restarts since the spawn. */
  readonly restarts: number;
  /** When the current incarnation became ready. */
  readonly startTime: Date | undefined;
  /** Names of the public methods. */
  readonly methods: readonly string[];
  health(): Promise<HealthStatus>;
  metrics(): Promise<ProcessMetrics>;
  /** Ends this incarnation and starts the next; clears an exhausted restart budget. */
  restart(): Promise<void>;
  /** Drains, runs `@OnShutdown`, ends. `timeout` bounds all of it (default: the manager's grace). */
  stop(options?: { timeout?: Duration; reason?: string }): Promise<void>;
  /** Ends it now, without drain or hooks; the restart policy does not apply. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** The last lines of stdout and stderr. */
  logs(): readonly string[];
  on<E extends keyof ProcessEvents>(event: E, listener: (detail: ProcessEvents[E]) => void): () => void;
}

/** Facts of a process at one moment. */
export interface ProcessInfo {
  id: string;
  name: string;
  version: string | undefined;
  file: string;
  status: ProcessStatus;
  isolation: Isolation;
  transport: TransportName;
  pid: number | undefined;
  threadId: number | undefined;
  startTime: Date | undefined;
  restarts: number;
}

export interface BackoffOptions {
  /** Default `'exponential'`. */
  type?: 'linear' | 'exponential';
  /** First delay. Default 100 ms. */
  initial?: Duration;
  /** Longest delay. Default 30 s. */
  max?: Duration;
}

export interface RestartPolicy {
  /** Default true. False is `type: 'temporary'`. */
  enabled?: boolean;
  /** `permanent` (default): always; `transient`: after a failure only; `temporary`: never. */
  type?: 'permanent' | 'transient' | 'temporary';
  /** Restarts allowed within `window`. Default 5. */
  maxRestarts?: number;
  /** Default 60 s. */
  window?: Duration;
  backoff?: BackoffOptions;
}

export interface ResourceLimits {
  /** Heap, Buffers and all else together, such as `'512MB'`: who takes more is ended with `MEMORY_LIMIT`. Refused for `none`. */
  maxMemory?: Bytes;
  /** Percent of one core. The kernel slows a child down to it, where a cgroup can be made; elsewhere, and for threads, health is degraded above it. */
  maxCpu?: number;
  /** Default `timeout` of every call. */
  timeout?: Duration;
}

export interface MonitoringOptions {
  /** Run health checks in the background. Default false; `true` is every 30 s with 5 s timeout. */
  healthCheck?: boolean | { interval?: Duration; timeout?: Duration };
  /** Record latency histograms. Default true. */
  metrics?: boolean;
  /** Give every call a W3C `traceparent`. Default false (one that the caller sets always travels). */
  tracing?: boolean;
}
