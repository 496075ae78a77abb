import { currentCall, HealthCheck, Process, Public } from 'mimas';
import { double } from './double';

@Process({ name: 'calc' })
export default class Calc {
  #calls = 0;

  @Public() add(a: number, b: number): number {
    this.#calls++;
    return a + b;
  }

  @Public() double(n: number): number {
    return double(n);
  }

  @Public() header(): string | undefined {
    return currentCall()?.headers['x-test'];
  }

  @Public() fail(): never {
    throw new RangeError('too far');
  }

  @Public() async *countTo(n: number): AsyncGenerator<number> {
    for (let i = 1; i <= n; i++) yield i;
  }

  @HealthCheck() health(): object {
    return { status: 'healthy', checks: [{ name: 'calls', status: this.#calls > 0 ? 'pass' : 'warn' }] };
  }
}
