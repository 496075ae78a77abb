// A process that fails on demand: for tests of restart policies, timeouts and pools, and for trying them out.
import { HealthCheck, Process, Public, currentCall, type HealthStatus } from 'mimas';
import { setTimeout as sleep } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';

const MIB = 1024 * 1024;

/** An error with a class, a code and fields of its own. */
export class PaymentError extends Error {
  override name = 'PaymentError';
  readonly code = 'CARD_DECLINED';

  constructor(readonly amount: number) {
    super(`the card was declined for ${amount}`);
  }
}

@Process({ name: 'flaky', version: '1.0.0', description: 'Crashes, hangs, leaks and throws when told to' })
export default class Flaky {
  #health: HealthStatus['status'] = 'healthy';
  readonly #leaked: unknown[] = [];

  /** Where it lives: both change when a child was restarted, the thread when a worker was. */
  @Public()
  whoami(): { pid: number; threadId: number } {
    return { pid: process.pid, threadId };
  }

  @Public({ idempotent: true })
  echo<T>(value: T): T {
    return value;
  }

  /** Answers after `ms`, or stops waiting when the call is cancelled. */
  @Public()
  async slow(ms: number): Promise<string> {
    await sleep(ms, undefined, { signal: currentCall().signal });
    return `slept ${ms} ms`;
  }

  /** A business error: the call fails, the process lives. */
  @Public()
  fail(message = 'as you wished'): never {
    throw new TypeError(message, { cause: new RangeError('the reason behind it') });
  }

  /** An error of a class that callers do not know. */
  @Public()
  pay(amount: number): never {
    throw new PaymentError(amount);
  }

  /** Several errors at once. */
  @Public()
  failTwice(): never {
    throw new AggregateError([new TypeError('first'), new RangeError('second')], 'two things failed');
  }

  /** Throws where nobody catches, which ends the process; the call never gets an answer. */
  @Public()
  crash(message = 'crash on demand'): Promise<never> {
    setImmediate(() => {
      throw new Error(message);
    });
    return new Promise(() => {});
  }

  /** The same with a promise that nobody handles. */
  @Public()
  reject(message = 'unhandled on demand'): Promise<never> {
    void Promise.reject(new Error(message));
    return new Promise(() => {});
  }

  /** Ends the process itself. */
  @Public()
  exit(code = 1): Promise<never> {
    setImmediate(() => process.exit(code));
    return new Promise(() => {});
  }

  /** Kills its own operating system process: of a child only the child, of a worker the whole program. */
  @Public()
  killSelf(signal: NodeJS.Signals = 'SIGKILL'): Promise<never> {
    process.kill(process.pid, signal);
    return new Promise(() => {});
  }

  /** Blocks the event loop for `ms`, or for ever: no timer, no cancellation, no health check gets through. */
  @Public()
  hang(ms = Infinity): void {
    const end = performance.now() + ms;
    while (performance.now() < end);
  }

  /** Holds on to `mib` MiB of heap, and tells how much it holds by now. */
  @Public()
  leak(mib: number): number {
    for (let i = 0; i < mib; i++) this.#leaked.push(Array.from({ length: MIB / 8 }, () => 1.5));
    return this.#leaked.length;
  }

  /** Streams `good` items, then fails. */
  @Public()
  async *failAfter(good: number): AsyncGenerator<number> {
    for (let i = 0; i < good; i++) yield i;
    throw new RangeError(`failed after ${good} items`);
  }

  /** Prints a line. */
  @Public()
  print(line: string, stream: 'stdout' | 'stderr' = 'stdout'): void {
    process[stream].write(`${line}\n`);
  }

  @Public()
  setHealth(status: HealthStatus['status']): void {
    this.#health = status;
  }

  @HealthCheck()
  health(): HealthStatus {
    const status = { healthy: 'pass', degraded: 'warn', unhealthy: 'fail' } as const;
    return { status: this.#health, checks: [{ name: 'mood', status: status[this.#health] }] };
  }
}
