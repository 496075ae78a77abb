import { currentCall, Process, Public, registerErrorClass } from 'mimas';

class OwnError extends Error {
  readonly detail = { when: new Date(7) };
}
registerErrorClass(OwnError);

const FAILURES: Readonly<Record<string, () => unknown>> = {
  RangeError: () => new RangeError('too far'),
  TypeError: () => new TypeError('of no such type', { cause: new SyntaxError('unreadable') }),
  AggregateError: () => new AggregateError([new RangeError('one'), new EvalError('two')], 'both'),
  OwnError: () => new OwnError('of its own'),
};

@Process({ name: 'samples' })
export default class Samples {
  @Public() add(a: number, b: number): number {
    return a + b;
  }

  @Public() fail(kind: string): never {
    throw FAILURES[kind]!();
  }

  @Public() values(): Record<string, unknown> {
    return {
      map: new Map([[1, new Set(['a'])]]),
      set: new Set([new Date(1)]),
      date: new Date(5),
      array: [1, [2, { three: 3 }]],
      pattern: /x/g,
      big: 1n,
      bytes: new Uint8Array([1, 2]),
      floats: new Float64Array([1.5]),
      memory: new ArrayBuffer(3),
      buffer: Buffer.from('abc'),
      error: new RangeError('inside'),
      plain: { a: { b: 1 } },
    };
  }

  /** What of the things that were sent looks like one to code over here. */
  @Public() classesOf(values: Record<string, unknown>): Record<string, boolean> {
    const classes: Record<string, new (...args: never[]) => object> = { map: Map, set: Set, date: Date, array: Array, pattern: RegExp, bytes: Uint8Array, floats: Float64Array, memory: ArrayBuffer, buffer: Buffer, error: RangeError, plain: Object };
    return Object.fromEntries(Object.entries(classes).map(([key, Class]) => [key, values[key] instanceof Class]));
  }

  @Public() async *countTo(n: number): AsyncGenerator<{ n: number; at: Date }> {
    for (let i = 1; i <= n; i++) yield { n: i, at: new Date(i) };
  }

  @Public() async callBack(callback: (value: Map<string, number>) => unknown): Promise<unknown> {
    return callback(new Map([['a', 1]]));
  }

  @Public() untilAborted(): Promise<never> {
    const { signal } = currentCall()!;
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));
  }

  @Public() header(): string | undefined {
    return currentCall()?.headers['x-test'];
  }

  @Public() fill(): number {
    const lists: unknown[][] = [];
    for (;;) lists.push(Array.from({ length: 1e5 }, () => lists));
  }

  withheld(): string {
    return 'never';
  }
}
