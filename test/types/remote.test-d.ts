// What the typed proxy says about a class. Checked by the compiler; nothing here runs.
import type { CallTimeoutError, MimasError, Remote } from 'mimas';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type IsAny<T> = 0 extends 1 & T ? true : false;
const yes = <_T extends true>(): void => {};
const no = <_T extends false>(): void => {};

class Service {
  field = 1;
  readonly arrow = (n: number) => n;
  protected hidden(): void {}
  private secret(): string {
    return this.#deep();
  }
  #deep(): string {
    return this.secret();
  }
  init(_dependencies: { db: string }): void {}
  add(a: number, b = 1): number {
    return a + b;
  }
  async later(text: string): Promise<{ text: string }> {
    return { text };
  }
  *numbers(): Generator<number, string> {
    yield 1;
    return 'end';
  }
  async *lines(_from?: number): AsyncGenerator<string> {
    yield '';
  }
  readable(): ReadableStream<Uint8Array> {
    return new ReadableStream();
  }
  async iterable(): Promise<AsyncIterable<Date>> {
    return this.dates();
  }
  async *dates(): AsyncGenerator<Date> {}
  list(): number[] {
    return [];
  }
  each(_callback: (item: number) => void): void {}
  rest(..._all: string[]): void {}
  maybe(): string | undefined {
    return undefined;
  }
  overloaded(value: string): string;
  overloaded(value: number): number;
  overloaded(value: string | number): string | number {
    return value;
  }
  generic<T>(value: T): T {
    return value;
  }
  loose(): any {
    return 1;
  }
}

declare const remote: Remote<Service>;
type R = Remote<Service>;

// Methods become asynchronous; arguments stay as they are.
yes<Equal<R['add'], (a: number, b?: number) => Promise<number>>>();
yes<Equal<ReturnType<R['later']>, Promise<{ text: string }>>>();
yes<Equal<ReturnType<R['maybe']>, Promise<string | undefined>>>();
yes<Equal<Parameters<R['rest']>, string[]>>();
yes<Equal<Parameters<R['each']>, [callback: (item: number) => void]>>();
// An array is data, not a stream.
yes<Equal<ReturnType<R['list']>, Promise<number[]>>>();

// Generators, iterables and readables can be iterated at once, or awaited first.
async function streams(): Promise<void> {
  for await (const item of remote.numbers()) yes<Equal<typeof item, number>>();
  for await (const item of remote.lines(3)) yes<Equal<typeof item, string>>();
  for await (const item of remote.iterable()) yes<Equal<typeof item, Date>>();
  for await (const item of await remote.lines()) yes<Equal<typeof item, string>>();
  for await (const item of remote.readable()) yes<Equal<typeof item, Uint8Array>>();
  const readable = await remote.readable();
  yes<Equal<typeof readable, ReadableStream<Uint8Array>>>();
  // @ts-expect-error a plain result cannot be iterated
  for await (const _ of remote.add(1)) break;
}
void streams;

// Fields, private and protected members and `init` are gone.
// @ts-expect-error a field is no method
void remote.field;
// @ts-expect-error private
void remote.secret;
// @ts-expect-error protected
void remote.hidden;
// @ts-expect-error runs once, inside of the process
void remote.init;
// @ts-expect-error not a promise
void remote.then;
// @ts-expect-error no such method
void remote.ad;
// @ts-expect-error wrong argument
void remote.add('1');
// @ts-expect-error results are promises
remote.add(1).toFixed();

// Control.
yes<Equal<ReturnType<R['$with']>, Remote<Service>>>();
yes<Equal<R['__processId'], string>>();
void remote.$with({ timeout: '5s', signal: AbortSignal.timeout(1), headers: { a: 'b' } }).add(1);
// @ts-expect-error no such option
remote.$with({ timout: 5 });
// @ts-expect-error a header is a text
remote.$with({ headers: { a: 1 } });

// Limits of mapped types, on purpose: the last signature of an overloaded method, no type parameters.
void remote.overloaded(1);
// @ts-expect-error the first signature is lost
void remote.overloaded('1');
yes<Equal<ReturnType<R['generic']>, Promise<unknown>>>();

// Nothing becomes `any` that was not.
no<IsAny<R['add']>>();
no<IsAny<Awaited<ReturnType<R['add']>>>>();
no<IsAny<Awaited<ReturnType<R['later']>>>>();
no<IsAny<Awaited<ReturnType<R['numbers']>>>>();
no<IsAny<Awaited<ReturnType<R['generic']>>>>();
no<IsAny<R['$handle']>>();
no<IsAny<ReturnType<R['$with']>>>();
yes<IsAny<Awaited<ReturnType<R['loose']>>>>();

// Whether the method may have begun stands on every error of Mimas that ends a call.
yes<Equal<MimasError['maybeExecuted'], boolean | undefined>>();
yes<Equal<CallTimeoutError['maybeExecuted'], boolean | undefined>>();
