import { Process, Public } from 'mimas';

@Process({ name: 'calculator' })
export default class Calculator {
  @Public() add(a: number, b: number): number {
    return a + b;
  }

  withheld(): string {
    return 'never';
  }
}
