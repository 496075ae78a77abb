import { Process, Public } from 'mimas';

@Process({ name: 'calculator' })
export default class Calculator {
  @Public() add(a: number, b: number): number {
    return a + b;
  }

  @Public() async *countTo(n: number): AsyncGenerator<number> {
    for (let i = 1; i <= n; i++) yield i;
  }

  withheld(): string {
    return 'never';
  }
}
