// The smallest useful process: arithmetic, a stream, a health check and a shutdown hook.
import { HealthCheck, OnShutdown, Process, Public, type HealthStatus } from 'mimas';

@Process({ name: 'calculator', version: '1.0.0', description: 'Adds, divides and counts' })
export default class Calculator {
  #calls = 0;

  @Public()
  add(a: number, b: number): number {
    this.#calls++;
    return a + b;
  }

  @Public()
  divide(a: number, b: number): number {
    this.#calls++;
    if (b === 0) throw new RangeError('cannot divide by zero');
    return a / b;
  }

  /** Streams 1 to `n`. */
  @Public()
  async *countTo(n: number): AsyncGenerator<number> {
    for (let i = 1; i <= n; i++) yield i;
  }

  @HealthCheck()
  health(): HealthStatus {
    return { status: 'healthy', checks: [{ name: 'self', status: 'pass', details: { calls: this.#calls } }] };
  }

  @OnShutdown()
  close(): void {}
}
