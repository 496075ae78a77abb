import { Process, Public } from 'mimas';

@Process({ name: 'calculator' })
export default class Calculator {
  @Public() add(a: number, b: number): number {
    return a + b;
  }

  @Public() fail(): never {
    throw new RangeError('too far');
  }

  withheld(): string {
    return 'never';
  }
}
