// Whether something is well, seen from outside: what to look at (http, tcp, exec, log line), one look, and the judgement over
// many looks. The judgement is a pure state machine; time belongs to the Prober.
import { request } from 'node:http';
import { connect } from 'node:net';
import { InvalidOptionError } from '../errors.js';
import { parseDuration, type Duration } from '../units.js';
import { Executable } from './executable.js';
import { within } from './within.js';

export type Check =
  /** Well: a status from 200 to 399, or exactly `status`. */
  | { readonly type: 'http'; readonly port: number; readonly path: string; readonly host?: string | undefined; readonly status?: number | undefined }
  /** Well: somebody accepts the connection. */
  | { readonly type: 'tcp'; readonly port: number; readonly host?: string | undefined }
  /** Well: exit code 0. */
  | { readonly type: 'exec'; readonly command: string; readonly args?: readonly string[]; readonly cwd?: string | undefined; readonly env?: Readonly<Record<string, string | undefined>> | undefined }
  /** Well from the first line on that matches. Lines are given to the Prober. */
  | { readonly type: 'log'; readonly pattern: { test(line: string): boolean; toString(): string } };

export interface ProbeOptions {
  /** Default 10 s. */
  interval?: Duration | undefined;
  /** Of one look. Default 5 s. */
  timeout?: Duration | undefined;
  /** Failures in a row that make it ill. Default 3. */
  failureThreshold?: number | undefined;
  /** Successes in a row that make it well. Default 1. */
  successThreshold?: number | undefined;
  /** Before the first look. Default 0. */
  initialDelay?: Duration | undefined;
  /** Between looks until it is well for the first time; failures do not count then. Default 100 ms. */
  startupInterval?: Duration | undefined;
  /** Longest time to become well for the first time, the initial delay included. Default 30 s. */
  startupTimeout?: Duration | undefined;
}

export interface ProbeTimes {
  readonly interval: number;
  readonly timeout: number;
  readonly failureThreshold: number;
  readonly successThreshold: number;
  readonly initialDelay: number;
  readonly startupInterval: number;
  readonly startupTimeout: number;
}

/** @throws InvalidOptionError naming the option */
export function resolveProbeOptions(options: ProbeOptions = {}, at = 'probe'): ProbeTimes {
  return {
    interval: time(options.interval ?? 10_000, `${at}.interval`, 1),
    timeout: time(options.timeout ?? 5_000, `${at}.timeout`, 1),
    failureThreshold: count(options.failureThreshold ?? 3, `${at}.failureThreshold`),
    successThreshold: count(options.successThreshold ?? 1, `${at}.successThreshold`),
    initialDelay: time(options.initialDelay ?? 0, `${at}.initialDelay`, 0),
    startupInterval: time(options.startupInterval ?? 100, `${at}.startupInterval`, 1),
    startupTimeout: time(options.startupTimeout ?? 30_000, `${at}.startupTimeout`, 1),
  };
}

export interface CheckResult {
  readonly ok: boolean;
  /** What was seen, for people. */
  readonly message: string;
}

export type ProbeStatus = 'starting' | 'healthy' | 'unhealthy';

/** The judgement. While `starting`, failures do not count; from then on thresholds decide. */
export class ProbeState {
  #status: ProbeStatus = 'starting';
  #failures = 0;
  #successes = 0;

  constructor(private readonly thresholds: Pick<ProbeTimes, 'failureThreshold' | 'successThreshold'>) {}

  get status(): ProbeStatus {
    return this.#status;
  }

  /** Takes the result of one look; answers the new status when it has changed. */
  observe(ok: boolean): ProbeStatus | undefined {
    this.#successes = ok ? this.#successes + 1 : 0;
    this.#failures = ok ? 0 : this.#failures + 1;
    if (ok && this.#status !== 'healthy' && this.#successes >= this.thresholds.successThreshold) return (this.#status = 'healthy');
    if (!ok && this.#status === 'healthy' && this.#failures >= this.thresholds.failureThreshold) return (this.#status = 'unhealthy');
    return undefined;
  }
}

/** One look, within `timeout` ms of real time. Never rejects. A `log` check sees nothing by itself. */
export async function runCheck(check: Check, timeout: number, signal?: AbortSignal): Promise<CheckResult> {
  switch (check.type) {
    case 'http':
      return lookHttp(check, timeout, signal);
    case 'tcp':
      return lookTcp(check, timeout, signal);
    case 'exec':
      return lookExec(check, timeout, signal);
    case 'log':
      return { ok: false, message: `no line matched ${String(check.pattern)} yet` };
  }
}

const LOOPBACK = '127.0.0.1';

function lookHttp({ host = LOOPBACK, port, path, status }: Extract<Check, { type: 'http' }>, timeout: number, signal: AbortSignal | undefined): Promise<CheckResult> {
  const at = `GET http://${host}:${port}${path}`;
  return new Promise((resolve) => {
    // Not fetch: that refuses a list of ports, and keeps connections to processes that come and go.
    const asked = request({ host, port, path, agent: false, headers: { connection: 'close' }, ...(signal && { signal }) }, (response) => {
      response.resume();
      const code = response.statusCode ?? 0;
      clearTimeout(timer);
      resolve({ ok: status === undefined ? code >= 200 && code < 400 : code === status, message: `${at} answered ${code}` });
      asked.destroy();
    });
    const timer = setTimeout(() => asked.destroy(new Error(`no answer within ${timeout} ms`)), timeout);
    asked.on('error', (error) => {
      clearTimeout(timer);
      resolve({ ok: false, message: `${at}: ${error.message}` });
    });
    asked.end();
  });
}

function lookTcp({ host = LOOPBACK, port }: Extract<Check, { type: 'tcp' }>, timeout: number, signal: AbortSignal | undefined): Promise<CheckResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (ok: boolean, message: string) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cut);
      socket.destroy();
      resolve({ ok, message: `tcp ${host}:${port} ${message}` });
    };
    const timer = setTimeout(() => settle(false, `did not accept within ${timeout} ms`), timeout);
    const cut = () => settle(false, 'is looked at no more');
    // Not as an option of `connect`: that never takes its listener away, and keeps each socket for as long as the signal lives.
    if (signal?.aborted) cut();
    signal?.addEventListener('abort', cut, { once: true });
    socket.once('connect', () => settle(true, 'accepts connections'));
    socket.on('error', (error) => settle(false, error.message));
  });
}

async function lookExec({ command, args, cwd, env }: Extract<Check, { type: 'exec' }>, timeout: number, stop: AbortSignal | undefined): Promise<CheckResult> {
  try {
    const started = await Executable.start({ name: 'probe', command, args, cwd, env });
    const cut = () => void started.kill();
    if (stop?.aborted) cut();
    stop?.addEventListener('abort', cut, { once: true });
    const inTime = await within(started.exited, timeout);
    stop?.removeEventListener('abort', cut);
    // A probe that hangs is ended with all it started.
    await started.kill();
    if (!inTime) return { ok: false, message: `${command} did not end within ${timeout} ms` };
    const { code, signal } = started.exit!;
    const last = started.lines().at(-1);
    return { ok: code === 0, message: `${command} ended with ${signal ?? code}${code !== 0 && last ? `: ${last}` : ''}` };
  } catch (error) {
    return { ok: false, message: (error as Error).message };
  }
}

function time(value: Duration, option: string, least: number): number {
  const ms = parseDuration(value, option);
  if (ms < least) throw new InvalidOptionError(`${option}: ${JSON.stringify(value)} is shorter than ${least} ms`, { option });
  return ms;
}

function count(value: number, option: string): number {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new InvalidOptionError(`${option}: ${JSON.stringify(value)} is not a whole number of at least 1`, { option });
}
