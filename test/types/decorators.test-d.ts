// What type-checks and what does not, alike under both settings of experimentalDecorators (tsconfig.legacy.json, tsconfig.standard.json).
import { HealthCheck, OnShutdown, Process, Public } from 'mimas';
import { processSpecOf, type ProcessSpec } from '#mimas/decorators/index.js';

@Process({ name: 'calculator', version: '1.0.0', description: 'adds' })
export default class Calculator {
  constructor(readonly base: number) {}

  @Public() add(a: number, b: number): number { return this.base + a + b; }
  @Public({ timeout: '30s', idempotent: true, concurrency: 4 }) async slow(): Promise<void> {}
  @Public({ timeout: undefined }) async *countTo(n: number): AsyncGenerator<number, void, undefined> { yield n; }
  overloaded(a: string): string;
  overloaded(a: number): number;
  @Public() overloaded(a: string | number): string | number { return a; }
  @Public() generic<T extends object>(value: T): T { return value; }
  @Public() optional(a?: string, ...rest: number[]): [string | undefined, number[]] { return [a, rest]; }
  @HealthCheck() @Public() health(): object { return {}; }
  @HealthCheck({ interval: 500, timeout: '1s' }) disk(): Promise<object> { return Promise.resolve({}); }
  @OnShutdown() async close(): Promise<void> {}
  @Public() protected inner(): void {}
}

@Process()
export abstract class Base<T> {
  @Public() abstractly(value: T): T { return value; }
}

export const spec: ProcessSpec | undefined = processSpecOf(Calculator);

export class Refused {
  // @ts-expect-error parentheses are required
  @Public bare(): void {}
  // @ts-expect-error parentheses are required
  @OnShutdown bareShutdown(): void {}
  // @ts-expect-error unknown option
  @Public({ timout: '3s' }) unknown(): void {}
  // @ts-expect-error wrong type of option
  @Public({ idempotent: 'yes' }) wrong(): void {}
  // @ts-expect-error no options
  @OnShutdown({ order: 1 }) ordered(): void {}
  // @ts-expect-error a static is not the process's
  @Public() static create(): void {}
  // @ts-expect-error a field is no method
  @Public() field = 1;
  // @ts-expect-error it belongs on a class
  @Process() method(): void {}
}

// @ts-expect-error it belongs on a method
@Public()
export class Wrong {}

// @ts-expect-error parentheses are required
@Process
export class Bare {}

// @ts-expect-error unknown option
@Process({ nmae: 'x' })
export class Misspelt {}
