// Whether something is well, seen from outside: what to look at (http, tcp, exec, log line) and the judgement over
// many looks. The judgement is a pure state machine; time belongs to the Prober.
import { InvalidOptionError } from '../errors.js';
import { parseDuration, type Duration } from '../units.js';
import { lookExec, lookHttp, lookTcp } from './looks.js';

export interface TlsLook {
  /** A file, PEM. Default: the authorities that Node trusts. */
  readonly ca?: string | undefined;
  readonly verify: boolean;
  /** Whose certificate it has to be. Default: the host's. */
  readonly serverName?: string | undefined;
}

export type Check =
  /** Well: a status from 200 to 399, or exactly `status`. Without a host, and at `localhost`: from either loopback. */
  | { readonly type: 'http'; readonly port: number; readonly path: string; readonly host?: string | undefined; readonly status?: number | undefined; readonly headers?: Readonly<Record<string, string>> | undefined; readonly tls?: TlsLook | undefined }
  /** Well: somebody accepts the connection, at either loopback where no other host is named. */
  | { readonly type: 'tcp'; readonly port: number; readonly host?: string | undefined }
  /** Well: exit code 0. */
  | { readonly type: 'exec'; readonly command: string; readonly args?: readonly string[]; readonly cwd?: string | undefined; readonly env?: Readonly<Record<string, string | undefined>> | undefined }
  /** Well from the first line on that matches. Lines are given to the Prober. */
  | { readonly type: 'log'; readonly pattern: { test(line: string): boolean; toString(): string } };

export type CheckOf<Type extends Check['type']> = Extract<Check, { type: Type }>;

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

function time(value: Duration, option: string, least: number): number {
  const ms = parseDuration(value, option);
  if (ms < least) throw new InvalidOptionError(`${option}: ${JSON.stringify(value)} is shorter than ${least} ms`, { option });
  return ms;
}

function count(value: number, option: string): number {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new InvalidOptionError(`${option}: ${JSON.stringify(value)} is not a whole number of at least 1`, { option });
}
