// The contract of calls. One suite, run in every cell of isolation × transport.
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { CallbackReleasedError, CallTimeoutError, createProcessManager, FrameTooLargeError, InvalidOptionError, keep, MethodNotFoundError, NotCloneableError, registerErrorClass, RemoteError, transfer, UnknownOptionError, type Isolation, type SpawnOptions } from 'mimas';
import { OrderError } from '../fixtures/processes/order-error.js';
import { FILE, internalsOf, onBun, TRANSPORTS, useCell, type Proxy, type Transport } from './cells.js';

registerErrorClass(OrderError);

const MIB = 1024 * 1024;
/** The same bytes as a Buffer and as a plain Uint8Array. */
const pairOf = (text: string, make: (bytes: Uint8Array) => Buffer = (bytes) => Buffer.from(bytes)) => (): [Buffer, Uint8Array] => {
  const plain = new Uint8Array(Buffer.from(text));
  return [make(plain), plain];
};
const BYTES: Readonly<Record<string, () => [Buffer, Uint8Array]>> = {
  none: pairOf(''),
  'a few': pairOf('grüße'),
  'as many as are attached': pairOf('x'.repeat(70_000)),
  'part of a larger one': pairOf('middle', (bytes) => Buffer.concat([Buffer.alloc(5_000, 1), bytes, Buffer.alloc(5_000, 2)]).subarray(5_000, 5_006)),
};
const errorOf = async (call: Promise<unknown>): Promise<Error & Record<string, unknown>> => call.then((value) => expect.fail(`gave ${inspect(value)}`), (error: unknown) => error as never);
const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
};
const any = (proxy: Proxy) => proxy as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;

export function callContract(isolation: Isolation, transports: readonly Transport[] = TRANSPORTS, options: SpawnOptions = {}): void {
  // In this thread the test's own copy of the class and the process's are two.
  const isOrderError = (error: unknown) => (isolation === 'none' ? (error as Error).constructor.name === 'OrderError' : error instanceof OrderError);

  describe.each(transports)(`calls, ${isolation} over %s${Object.entries(options).map(([name, value]) => `, ${name} ${String(value)}`).join('')}`, (transport) => {
    const cell = useCell(isolation, transport, options);

    describe('results and order', () => {
      it('gives results of sync and async methods', async () => {
        expect(await cell.calc.add(5, 3)).toBe(8);
        expect(await cell.calc.later({ a: 1 })).toEqual({ a: 1 });
        expect(await cell.calc.nothing()).toBeUndefined();
      });

      it('settles each of many calls exactly once, with its own answer', async () => {
        let settled = 0;
        const calls = Array.from({ length: 2000 }, (_, i) => (i % 10 === 9 ? cell.calc.reject(`no ${i}`) : cell.calc.later(i)).then((value) => (settled++, value), (error: Error) => (settled++, error.message)));
        expect(await Promise.all(calls)).toEqual(Array.from({ length: 2000 }, (_, i) => (i % 10 === 9 ? `no ${i}` : i)));
        expect(settled).toBe(2000);
        expect(internalsOf(cell.calc).inFlight).toBe(0);
      });

      it('starts calls in the order they were made, big and small ones mixed', async () => {
        const big = 'x'.repeat(300_000);
        await cell.calc.log();
        for (let i = 0; i < 30; i++) void cell.calc.note(i % 3 === 0 ? `${i} ${big}` : `${i}`);
        expect((await cell.calc.log()).map((line) => Number(line.split(' ')[0]))).toEqual(Array.from({ length: 30 }, (_, i) => i));
      });
    });

    describe('cancellation', () => {
      it('rejects with the reason of the signal itself and aborts the signal of the method', async () => {
        const controller = new AbortController();
        const reason = new Error('changed my mind');
        const call = cell.calc.$with({ signal: controller.signal }).untilAborted();
        await cell.calc.logged('waiting');
        controller.abort(reason);
        expect(await errorOf(call)).toBe(reason);
        await cell.calc.logged('aborted Error: changed my mind');
      });

      it('rejects with the reason of a signal that had aborted before, and never runs', async () => {
        await cell.calc.log();
        const reason = { any: 'value' };
        expect(await errorOf(cell.calc.$with({ signal: AbortSignal.abort(reason) }).note('ran'))).toBe(reason);
        expect(await cell.calc.log()).toEqual([]);
      });

      it('survives a reason that cannot cross', async () => {
        const controller = new AbortController();
        const call = cell.calc.$with({ signal: controller.signal }).untilAborted();
        await cell.calc.logged('waiting');
        const reason = Symbol('private');
        controller.abort(reason);
        expect(await errorOf(call)).toBe(reason);
        await cell.calc.logged('aborted AbortError: aborted (the reason could not be sent: symbol)');
      });

      it('reports a timeout of the caller, and aborts the method', async () => {
        const error = await errorOf(cell.calc.$with({ timeout: 40 }).untilAborted());
        expect(error).toBeInstanceOf(CallTimeoutError);
        expect(error).toMatchObject({ code: 'CALL_TIMEOUT', method: 'untilAborted', timeout: 40 });
        await cell.calc.logged('waiting');
        await cell.calc.log();
      });

      it("uses the method's own timeout, which the caller can override", async () => {
        expect(await errorOf(cell.calc.slowByDefault())).toMatchObject({ code: 'CALL_TIMEOUT', timeout: 60 });
        expect(await errorOf(cell.calc.$with({ timeout: 20 }).slowByDefault())).toMatchObject({ timeout: 20 });
      });

      it('gives nested calls the deadline of the call they are made from', async () => {
        const before = Date.now();
        const deadline = await cell.calc.$with({ timeout: 5_000 }).nestedDeadline(cell.other);
        expect(deadline).toBeGreaterThan(before + 3_000);
        expect(deadline).toBeLessThan(before + 6_000);
        expect(await errorOf(cell.calc.$with({ timeout: 60 }).nestedSlow(cell.other))).toMatchObject({ code: 'CALL_TIMEOUT' });
        await cell.other.logged('waiting');
        // It is told by its own deadline or by its caller's going away, whichever is heard first.
        await expect.poll(async () => (await cell.other.log()).some((line) => line.startsWith('aborted'))).toBe(true);
      });

      it('hands over an AbortSignal as an argument, aborted later or before', async () => {
        const controller = new AbortController();
        const call = cell.calc.observe(controller.signal);
        await cell.calc.logged('observing');
        controller.abort(new Error('now'));
        expect(await call).toBe('after: now');
        expect(await cell.calc.observe(AbortSignal.abort(new Error('already')))).toBe('before: already');
        expect(await cell.calc.observe(AbortSignal.abort('text'))).toBe('before: text');
      });

      it.each<[string, unknown]>([
        ['signal', 5], ['queueTimeout', -1], ['key', {}], ['transfer', 5], ['transfer', [{}]], ['headers', 5], ['headers', { a: 1 }], ['idempotent', 'yes'], ['whileRestarting', 'hope'],
      ])('refuses %s: %j by name', (option, value) => {
        expect(() => cell.calc.$with({ [option]: value })).toThrow(InvalidOptionError);
        expect(() => cell.calc.$with({ [option]: value })).toThrow(new RegExp(`^${option}: .* is not `));
      });

      it('refuses options that are none', () => {
        expect(() => cell.calc.$with(null as never)).toThrow(InvalidOptionError);
        expect(() => cell.calc.$with(5 as never)).toThrow(InvalidOptionError);
      });

      it('refuses an option that does not exist, by name', () => {
        expect(() => cell.calc.$with({ timout: 5 } as never)).toThrow(UnknownOptionError);
        expect(() => cell.calc.$with({ timout: 5 } as never)).toThrow(/'timout'; did you mean 'timeout'/);
      });
    });

    describe('concurrency of a method', () => {
      it('runs at most that many at once, in order, and lets others pass', async () => {
        const calls = ['a', 'b', 'c', 'd'].map((name) => cell.calc.narrow(name));
        await Promise.all([cell.calc.logged('in a'), cell.calc.logged('in b')]);
        expect(await cell.calc.add(1, 1)).toBe(2);
        expect(await cell.calc.log()).toEqual([]);
        await cell.calc.open('b');
        await cell.calc.logged('in c');
        await cell.calc.open('a');
        await cell.calc.logged('in d');
        await Promise.all([cell.calc.open('c'), cell.calc.open('d')]);
        expect(await Promise.all(calls)).toEqual(['a', 'b', 'c', 'd']);
        expect(await cell.calc.most()).toEqual({ most: 2, active: 0 });
      });

      it('frees the place of calls that are cancelled while they run or wait', async () => {
        const controller = new AbortController();
        const narrow = cell.calc.$with({ signal: controller.signal });
        const first = ['a', 'b', 'c', 'd', 'e'].map((name) => narrow.narrow(name));
        await Promise.all([cell.calc.logged('in a'), cell.calc.logged('in b')]);
        const last = cell.calc.narrow('last');
        controller.abort('enough');
        expect(await Promise.allSettled(first)).toEqual(first.map(() => ({ status: 'rejected', reason: 'enough' })));
        await cell.calc.logged('in last');
        expect(await cell.calc.log()).toEqual([]);
        await cell.calc.open('last');
        expect(await last).toBe('last');
        await cell.calc.most();
      });
    });

    describe('streams out', () => {
      it('streams every kind of iterable, directly or awaited', async () => {
        const { calc } = cell;
        expect(await collect(calc.count(3))).toEqual([1, 2, 3]);
        expect(await collect(await calc.count(3))).toEqual([1, 2, 3]);
        expect(await collect(calc.countSync(3))).toEqual([1, 2, 3]);
        expect(await collect(calc.iterableLater(3))).toEqual([1, 2, 3]);
        expect(await collect(calc.readable(3))).toEqual([1, 2, 3]);
        expect(await calc.readable(1).then(async (stream) => (expect(stream).toBeInstanceOf(ReadableStream), collect(stream as never)))).toEqual([1]);
        expect(await collect(calc.count(0))).toEqual([]);
        expect((await collect(calc.count(3000))).at(-1)).toBe(3000);
      });

      it('gives the return value of a generator', async () => {
        for (const stream of [await cell.calc.count(1), await cell.calc.countSync(1)]) {
          expect(await stream.next()).toEqual({ done: false, value: 1 });
          expect(await stream.next()).toEqual({ done: true, value: 'the end' });
          expect(await stream.next()).toEqual({ done: true, value: undefined });
        }
      });

      it('stops the producer at the credit window while the consumer sleeps', async () => {
        const stream = await cell.calc.endless();
        await stream.next();
        let before = -1;
        await expect.poll(async () => before === (before = await cell.calc.produced())).toBe(true);
        const { STREAM_WINDOW } = await import('#mimas/rpc/streams.js');
        expect(before).toBeGreaterThanOrEqual(STREAM_WINDOW - 1);
        expect(before).toBeLessThanOrEqual(STREAM_WINDOW + 2);
        for (let i = 2; i <= 1000; i++) expect((await stream.next()).value).toBe(i);
        await stream.return!();
        await cell.calc.logged('finally');
        await cell.calc.logged('stream aborted');
      });

      it("reaches the producer's finally and aborts its signal on break", async () => {
        for await (const i of cell.calc.endless()) if (i === 3) break;
        await cell.calc.logged('finally');
        await cell.calc.logged('stream aborted');
        for await (const i of cell.calc.stuck()) if (i === 1) break;
        await cell.calc.logged('unstuck');
        for await (const i of cell.calc.readable(10_000)) if (i === 3) break;
        await cell.calc.logged('readable cancelled');
      });

      it('leaves a stream whose consumer never took a step', async () => {
        await cell.calc.endless()[Symbol.asyncIterator]().return!();
        await cell.calc.logged('stream aborted');
        await cell.calc.log();
      });

      it('hands an error in the middle on, behind the items before it', async () => {
        const got: number[] = [];
        const error = await errorOf((async () => {
          for await (const i of cell.calc.breaks(4)) got.push(i);
        })());
        expect(got).toEqual([1, 2, 3]);
        expect(error).toBeInstanceOf(RangeError);
        expect(error.message).toBe('broke at 4');
      });

      it('reports an item that cannot be sent, and lets the producer clean up', async () => {
        const error = await errorOf(collect(cell.calc.badItem()));
        expect(error).toBeInstanceOf(NotCloneableError);
        await cell.calc.logged('bad finally');
      });

      it('ends with the reason when the signal aborts in the middle', async () => {
        const controller = new AbortController();
        const reason = new Error('seen enough');
        const got: number[] = [];
        const error = await errorOf((async () => {
          for await (const i of cell.calc.$with({ signal: controller.signal }).endless()) {
            got.push(i);
            if (i === 5) controller.abort(reason);
          }
        })());
        expect(error).toBe(reason);
        expect(got).toEqual([1, 2, 3, 4, 5]);
        await cell.calc.logged('finally');
        await cell.calc.log();
      });

      it('says so when what is iterated is no stream', async () => {
        await expect(collect(cell.calc.add(1, 2) as never)).rejects.toThrow(/gave no stream/);
      });

      it('runs a generator inside of its call', async () => {
        expect(await collect(cell.calc.contextInStream())).toEqual(['contextInStream']);
      });
    });

    describe('streams in', () => {
      it('takes generators and ReadableStreams as arguments', async () => {
        async function* numbers(n: number) {
          for (let i = 1; i <= n; i++) yield i;
        }
        expect(await cell.calc.sum(numbers(1000))).toBe(500_500);
        expect(await cell.calc.sum((function* () { yield 1; yield 2; })() as never)).toBe(3);
        const readable = new ReadableStream<number>({ start: (controller) => { for (const i of [1, 2, 3]) controller.enqueue(i); controller.close(); } });
        expect(await cell.calc.sumReadable(readable)).toBe(6);
        expect(await collect(cell.calc.double(numbers(3)))).toEqual([2, 4, 6]);
      });

      it("reaches the caller's finally when the method does not read to the end, or not at all", async () => {
        const left: string[] = [];
        async function* numbers(name: string) {
          try {
            for (let i = 1; ; i++) yield i;
          } finally {
            left.push(name);
          }
        }
        expect(await cell.calc.first(numbers('first'))).toBe(1);
        await expect.poll(() => left).toEqual(['first']);
        expect(await cell.calc.ignore(numbers('ignored'))).toBe('ignored');
        for await (const i of cell.calc.double(numbers('double'))) if (i === 6) break;
        await expect.poll(() => left.includes('double')).toBe(true);
      });

      it("gives the method an error of the caller's stream", async () => {
        async function* broken() {
          yield 1;
          throw new RangeError('source broke');
        }
        expect(await errorOf(cell.calc.sum(broken()))).toMatchObject({ name: 'RangeError', message: 'source broke' });
      });

      it('fails the input of a method whose call is cancelled', async () => {
        const controller = new AbortController();
        async function* silent(): AsyncGenerator<number> {
          await new Promise((resolve) => controller.signal.addEventListener('abort', resolve));
          yield 1;
        }
        const call = cell.calc.$with({ signal: controller.signal }).hang(silent());
        await cell.calc.logged('hanging');
        controller.abort(new Error('no more'));
        await expect(call).rejects.toThrow('no more');
        await cell.calc.logged('input failed: no more');
      });
    });

    describe('callbacks', () => {
      it('calls back with async results, and from within streams', async () => {
        expect(await cell.calc.each(3, async (i) => ({ i }))).toEqual([{ i: 0 }, { i: 1 }, { i: 2 }]);
        expect(await collect(cell.calc.callingStream(async (i) => i * 2))).toEqual([0, 2, 4]);
      });

      it('throws in the process what the callback threw', async () => {
        const error = await cell.calc.errorOf(() => {
          throw new OrderError('from the caller', 7);
        });
        expect(isOrderError(error)).toBe(true);
        expect(error).toMatchObject({ message: 'from the caller', order: 7, label: 'order 7' });
      });

      it('does not end the process when nobody waits for a callback that fails', async () => {
        const seen: number[] = [];
        await cell.calc.fire((i) => {
          seen.push(i);
          throw new Error('nobody listens');
        });
        await cell.calc.nothing();
        await expect.poll(() => cell.calc.add(1, 1)).toBe(2);
      });

      it('is released after the call', async () => {
        await cell.calc.remember(() => 'late');
        expect(await cell.calc.callLate(1)).toBe(CallbackReleasedError.code);
      });

      it('is kept by the process with keep(), until it lets go', async () => {
        await cell.calc.keepIt((value) => `kept ${String(value)}`);
        expect(await cell.calc.callKept(1)).toBe('kept 1');
        expect(await cell.calc.callKept(2)).toBe('kept 2');
        await cell.calc.dropKept();
        expect(await cell.calc.callKept(3)).toBe('CALLBACK_RELEASED');
      });

      it('is kept by the caller with keep(), until it lets go', async () => {
        const held = keep((value: unknown) => `held ${String(value)}`);
        await cell.calc.remember(held);
        expect(await cell.calc.callLate(1)).toBe('held 1');
        held[Symbol.dispose]();
        expect(await cell.calc.callLate(2)).toBe('CALLBACK_RELEASED');
      });

      it('returns functions that can be called', async () => {
        const plus = (await cell.calc.maker(10)) as unknown as (n: number) => Promise<number>;
        expect(await plus(5)).toBe(15);
      });
    });

    describe('values', () => {
      it('carries what structured clone carries', async () => {
        const cyclic: Record<string, unknown> = { list: [1, undefined, null, -0, NaN, Infinity] };
        cyclic['self'] = cyclic;
        const shared = { shared: true };
        const sparse: unknown[] = [1, undefined, 3];
        delete sparse[1];
        const error = Object.assign(new RangeError('far', { cause: new Error('why') }), { code: 'E' });
        const value = {
          cyclic, shared: [shared, shared], sparse, big: 2n ** 200n, negative: -(2n ** 70n),
          map: new Map<unknown, unknown>([[{ key: 1 }, new Set([1, 'two'])]]), date: new Date(0), invalid: new Date(NaN), regexp: /a+/gi, error,
          typed: [new Uint8Array([1, 2]), new Float64Array([-0, NaN]), new BigInt64Array([-1n]), new DataView(new ArrayBuffer(3))], buffer: new ArrayBuffer(5),
        };
        const got = (await cell.calc.echo(value)) as typeof value;
        expect(got).toStrictEqual(value);
        expect(got.cyclic['self']).toBe(got.cyclic);
        expect(got.shared[0]).toBe(got.shared[1]);
        expect(1 in got.sparse).toBe(false);
        expect(Object.is((got.cyclic['list'] as number[])[3], -0)).toBe(true);
        expect(got.error.cause).toBeInstanceOf(Error);
        expect(await cell.calc.isCycle(cyclic as never)).toBe(true);
      });

      it.each(Object.keys(BYTES))('a Buffer stays a Buffer and a Uint8Array one, in every place: %s', async (size) => {
        const [buffer, plain] = BYTES[size]!();
        const kinds = ['[object Uint8Array] Buffer', '[object Uint8Array]'];
        const same = (value: unknown, sent: Uint8Array) => {
          expect(Object.getPrototypeOf(value)).toBe(Object.getPrototypeOf(sent));
          expect(Buffer.compare(value as Uint8Array, sent)).toBe(0);
        };
        const both = (value: unknown) => {
          same((value as unknown[])[0], buffer);
          same((value as unknown[])[1], plain);
        };
        expect([await cell.calc.kindOf(buffer), await cell.calc.kindOf(plain)]).toEqual(kinds);
        same(await cell.calc.echo(buffer), buffer);
        same(await cell.calc.echo(plain), plain);
        const cyclic = { deep: [{ pair: [buffer, plain] }], map: new Map([['pair', [buffer, plain]]]), self: undefined as unknown };
        cyclic.self = cyclic;
        const nested = (await cell.calc.echo(cyclic)) as typeof cyclic;
        both(nested.deep[0]!.pair);
        both(nested.map.get('pair'));
        both(await cell.calc.echo([buffer, plain]));
        both(await collect(await cell.calc.items([buffer, plain])));
        both(await cell.calc.itemsOf((async function* () { yield buffer; yield plain; })()));
        const heard: unknown[] = [];
        both(await cell.calc.ask([buffer, plain], (value) => (heard.push(value), value)));
        both(heard);
        const error = await errorOf(cell.calc.failWith([buffer, plain]));
        both(error['pair']);
        both((error.cause as Error & { pair: unknown }).pair);
      });

      it('a Buffer that is moved arrives as one', async () => {
        const moved = Buffer.from(new ArrayBuffer(MIB)).fill(3);
        const got = (await cell.calc.$with({ transfer: [moved.buffer] }).echo(moved)) as Buffer;
        expect([moved.byteLength, Buffer.isBuffer(got), got.byteLength, got[MIB - 1]]).toEqual([0, true, MIB, 3]);
      });

      it('carries 24 MiB and comes back with them', async () => {
        const bytes = new Uint8Array(24 * MIB).map((_, i) => i);
        const got = (await cell.calc.echo(bytes)) as Uint8Array;
        expect(bytes.byteLength).toBe(24 * MIB);
        expect(Buffer.compare(got, bytes)).toBe(0);
      });

      it('moves what is named in transfer, in both directions', async () => {
        const named = new ArrayBuffer(MIB);
        expect(await cell.calc.$with({ transfer: [named] }).echo({ named })).toMatchObject({ named: { byteLength: MIB } });
        // A call that may be made again keeps a copy; its sender's buffer is emptied all the same.
        const again = new ArrayBuffer(MIB);
        expect(await cell.calc.$with({ transfer: [again], idempotent: true }).echo({ again })).toMatchObject({ again: { byteLength: MIB } });
        expect(again.byteLength).toBe(0);
        expect(named.byteLength).toBe(0);
        const marked = new Uint8Array(MIB);
        const call = cell.calc.echo(transfer(marked));
        expect(marked.byteLength).toBe(0);
        expect(((await call) as Uint8Array).byteLength).toBe(MIB);
        expect((await cell.calc.moved(MIB)).buffer.byteLength).toBe(MIB);
        await cell.calc.logged('left 0');
      });

      it('refuses to move the same buffer twice, and fails that call only', async () => {
        const buffer = new ArrayBuffer(100_000);
        const moving = cell.calc.$with({ transfer: [buffer] });
        const [first, second, third] = await Promise.allSettled([moving.echo(buffer), moving.echo(buffer), cell.calc.add(1, 2)]);
        expect(first).toMatchObject({ status: 'fulfilled' });
        expect(second).toMatchObject({ status: 'rejected', reason: { code: 'NOT_CLONEABLE' } });
        expect(third).toEqual({ status: 'fulfilled', value: 3 });
      });

      it('does not see what is changed after the call', async () => {
        const argument = { list: [1], bytes: new Uint8Array([1]) };
        const primitives = [1, 2];
        const calls = [cell.calc.later(argument), cell.calc.later(primitives)];
        argument.list.push(2);
        argument.bytes[0] = 9;
        primitives.push(3);
        expect(await Promise.all(calls)).toEqual([{ list: [1], bytes: new Uint8Array([1]) }, [1, 2]]);
        expect(await cell.calc.echo(argument)).not.toBe(argument);
      });

      it('refuses what is larger than maxFrame, in and out, and stays usable', async () => {
        const large = await errorOf(cell.calc.echo(new Uint8Array(33 * MIB)));
        expect(large).toBeInstanceOf(FrameTooLargeError);
        expect(large).toMatchObject({ limit: 32 * MIB });
        expect(large.message).toMatch(/^calc\.echo\(\): /);
        expect(await errorOf(cell.calc.bytes(33 * MIB))).toBeInstanceOf(FrameTooLargeError);
        // Three bytes a character on the wire, one in `length`.
        expect(await errorOf(cell.calc.length('€'.repeat(12 * MIB)))).toBeInstanceOf(FrameTooLargeError);
        expect(await errorOf(cell.calc.text(12 * MIB, '€'))).toBeInstanceOf(FrameTooLargeError);
        expect(await errorOf(cell.calc.$with({ headers: { long: 'x'.repeat(100_000) } }).nothing())).toBeInstanceOf(FrameTooLargeError);
        expect(await cell.calc.add(1, 2)).toBe(3);
      });

      it('names method and path of what cannot be cloned', async () => {
        const error = await errorOf(cell.calc.echo({ db: [new WeakMap()] }));
        expect(error).toBeInstanceOf(NotCloneableError);
        expect(error).toMatchObject({ path: 'args[0].db[0]', method: 'echo' });
        expect(error.message).toContain('calc.echo(): args[0].db[0]');
        const result = await errorOf(cell.calc.promiseInside());
        expect(result).toMatchObject({ code: 'NOT_CLONEABLE', path: 'result.a[0]' });
        expect(result.message).toContain('calc.promiseInside(): result.a[0]');
      });

      it('lends nothing when the arguments cannot be sent', async () => {
        async function* numbers() {
          yield 1;
        }
        expect(await errorOf((cell.calc as unknown as { echo(...args: unknown[]): Promise<unknown> }).echo(() => 1, numbers(), AbortSignal.timeout(60_000), Promise.resolve()))).toBeInstanceOf(NotCloneableError);
        expect(internalsOf(cell.calc).session.live.size).toBe(0);
      });
    });

    describe('errors', () => {
      it('keeps the class of built-in and registered errors, with code and own fields', async () => {
        const range = await errorOf(cell.calc.fail('range'));
        expect(range).toBeInstanceOf(RangeError);
        expect(range).toMatchObject({ message: 'too far', code: 'E_FAR', limit: 3 });
        const order = await errorOf(cell.calc.fail('registered'));
        expect(isOrderError(order)).toBe(true);
        expect(order).toMatchObject({ name: 'OrderError', order: 42, label: 'order 42' });
        expect(await errorOf(cell.calc.fail('dom'))).toMatchObject({ name: 'AbortError', code: 20 });
      });

      it('gives an unknown class as a RemoteError with name, code and fields', async () => {
        const error = await errorOf(cell.calc.fail('unknown'));
        expect(error).toBeInstanceOf(RemoteError);
        expect(error).toMatchObject({ name: 'Unregistered', message: 'who am I', code: 'E_UNREGISTERED', detail: { at: new Date(5) } });
      });

      it('keeps causes and the errors of an AggregateError', async () => {
        const error = await errorOf(cell.calc.fail('cause'));
        expect(error.cause).toBeInstanceOf(TypeError);
        expect(error.cause).toMatchObject({ message: 'inner', cause: 'root' });
        const both = (await errorOf(cell.calc.fail('aggregate'))) as unknown as AggregateError;
        expect(both).toBeInstanceOf(AggregateError);
        expect(both.errors.map((one: Error) => `${one.name} ${one.message}`)).toEqual(['RangeError one', 'Error two']);
      });

      it('hands on what is thrown and is no error', async () => {
        expect(await errorOf(cell.calc.fail('string'))).toBe('a text');
        expect(await errorOf(cell.calc.fail('object'))).toEqual({ reason: 'plain', list: [1] });
        expect(await errorOf(cell.calc.fail('undefined'))).toBeUndefined();
        expect(await errorOf(cell.calc.fail('uncloneable'))).toMatchObject({ message: 'with a door', door: '[function door]', socket: '[Promise]' });
      });

      it.skipIf(onBun)('shows both sides in the stack', async () => {
        async function callerOfFail() {
          await cell.calc.fail('deep');
        }
        const { stack } = await errorOf(callerOfFail());
        expect(stack).toMatch(/^Error: from deep inside\n.*deepInside/);
        expect(stack).toContain(`--- calc (${isolation}) ---`);
        expect(stack).toMatch(/callerOfFail/);
      });

      it.skipIf(onBun)('shows who consumed a stream that failed, whether it waited or came later', async () => {
        async function consumerOfStream(pause: number) {
          for await (const item of cell.calc.breaks(2)) await new Promise((resolve) => setTimeout(resolve, pause, item));
        }
        for (const pause of [0, 20]) {
          const { stack } = await errorOf(consumerOfStream(pause));
          expect(stack).toContain(`--- calc (${isolation}) ---`);
          expect(stack).toMatch(/consumerOfStream/);
        }
      });

      it.skipIf(onBun)('shows in the process who called a callback that threw, and both sides when it comes back', async () => {
        const failing = () => {
          throw new Error('in the callback');
        };
        const seen = (await cell.calc.errorOf(failing)) as Error;
        expect(seen.stack).toMatch(/^Error: in the callback\n.*failing[^]*--- .* ---\n[^]*errorOf/);
        async function callerOfEach() {
          await cell.calc.each(1, failing);
        }
        const { stack } = await errorOf(callerOfEach());
        expect(stack).toMatch(/failing[^]*--- .* ---\n[^]*each[^]*--- .* ---\n[^]*callerOfEach/);
      });
    });

    describe('the proxy', () => {
      it('tells of a method of the class what it lacks, and has no other name', async () => {
        const error = await errorOf(any(cell.calc)['secret']!());
        expect(error).toBeInstanceOf(MethodNotFoundError);
        expect(error).toMatchObject({ code: 'METHOD_NOT_FOUND', method: 'secret', process: 'calc', maybeExecuted: false });
        expect(error.message).toMatch(/calc\.secret\(\) is not public: decorate it with @Public\(\)/);
        for (const hook of ['ad', 'onModuleInit', 'onApplicationBootstrap', 'getter', 'setter', 'asymmetricMatch', 'nodeType', 'toJSON', 'then', 'catch', '$$typeof', 'init']) {
          expect(any(cell.calc)[hook]).toBeUndefined();
          expect(hook in cell.calc).toBe(false);
        }
        expect(Object.keys(cell.calc)).not.toContain('secret');
      });

      it('is no promise, and can be printed, serialised, compared and spread', async () => {
        expect(await cell.calc).toBe(cell.calc);
        expect((cell.calc as unknown as { then?: unknown }).then).toBeUndefined();
        expect(inspect(cell.calc)).toMatch(/^Remote<calc> \{ id: '.+', methods: \[/);
        expect(() => JSON.stringify({ calc: cell.calc })).not.toThrow();
        expect(Object.prototype.toString.call(cell.calc)).toBe('[object Remote(calc)]');
        expect(Object.keys(cell.calc)).toContain('add');
        expect('add' in cell.calc).toBe(true);
        expect('secret' in cell.calc).toBe(false);
        expect(cell.calc.__processId).toBe(cell.calc.$handle.id);
        expect(any(cell.calc)['$nothing']).toBeUndefined();
        expect(() => Object.assign(cell.calc, { field: 1 })).toThrow(/cannot set field/);
        expect(Object.prototype.hasOwnProperty.call(cell.calc, 'constructor')).toBe(false);
        // A public method goes before what every object has.
        expect(await any(cell.calc)['toString']!()).toBe('a public toString');
        expect((cell.calc as unknown as object).valueOf()).toBe(cell.calc);
      });

      it('lets no hand-made frame reach what is not public', async () => {
        const { session } = internalsOf(cell.calc) as unknown as { session: import('#mimas/rpc/session.js').Session };
        for (const number of ['secret', 'constructor', '__proto__', 'toString', -1, 1e9, 0.5, null]) {
          const call = new Promise((resolve, reject) => session.call({ label: 'forged', from: 'a test', settle: resolve, fail: reject, unsent() {} }, number as number, [], undefined, undefined));
          expect(await errorOf(call)).toBeInstanceOf(MethodNotFoundError);
        }
        expect(await errorOf(session.callReference(12_345, 'constructor', []))).toBeInstanceOf(CallbackReleasedError);
      });
    });

    describe('context and other processes', () => {
      it('tells the method who calls, with the headers', async () => {
        const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
        const headers = { tenant: 'a', traceparent };
        const context = await cell.calc.$with({ headers }).$with({ headers: { more: 'b' } }).context();
        expect(context).toEqual({ headers: { ...headers, more: 'b' }, caller: 'suite', process: 'calc', method: 'context' });
        expect((await cell.calc.context()).headers).toEqual({});
        const forged = await cell.calc.$with({ headers: { 'mimas-other': 'x', fine: 'y' } }).context();
        expect(forged.headers).toEqual({ fine: 'y' });
      });

      it('passes headers on to nested calls, whose caller is the process', async () => {
        const context = await cell.calc.$with({ headers: { tenant: 'a' } }).nestedContext(cell.other);
        expect(context).toEqual({ headers: { tenant: 'a' }, caller: 'calc', process: 'other', method: 'context' });
      });

      it('calls another process through its proxy: results, streams, callbacks, errors', async () => {
        const { calc, other } = cell;
        expect(await calc.relayCall(other, 2, 3)).toBe(5);
        expect(await calc.relayStream(other, 600)).toEqual(Array.from({ length: 600 }, (_, i) => i + 1));
        expect(await calc.relayBreak(other)).toBe(3);
        await other.logged('finally');
        expect(await calc.relayCallback(other, 3)).toEqual([0, 10, 20]);
        expect(await collect(calc.relayPass(other, 3) as never)).toEqual([1, 2, 3]);
        expect(await calc.relayFn(other, (i) => `me ${i}`)).toEqual(['me 0', 'me 1']);
        expect(await calc.relayWrong(other)).toMatchObject({ code: 'METHOD_NOT_FOUND', method: 'secret' });
        await other.log();
      });

      it('takes timeout and signal through a lent proxy', async () => {
        await cell.other.log();
        expect(await cell.calc.relayTimeout(cell.other)).toBe('CALL_TIMEOUT');
        expect(await cell.calc.relaySignal(cell.other)).toBe(true);
        await expect.poll(async () => (await cell.other.log()).filter((line) => line.startsWith('aborted')).length).toBeGreaterThan(0);
      });

      it('keeps a callback through two processes', async () => {
        await cell.calc.relayKeep(cell.other, (value) => `far ${String(value)}`);
        expect(await cell.other.callKept(1)).toBe('far 1');
        await cell.other.dropKept();
        expect(await cell.other.callKept(2)).toBe('CALLBACK_RELEASED');
      });

      it('holds a lent proxy beyond the call', async () => {
        await cell.calc.hold(cell.other);
        expect(await cell.calc.callHeld()).toBe(42);
      });
    });
  });

  it.runIf(onBun)('refuses WebSockets by name, when it is spawned', async () => {
    const pm = createProcessManager({ isolation });
    const error = await errorOf(pm.spawn(FILE, { transport: 'ws' }));
    expect(error).toMatchObject({ code: 'UNSUPPORTED_OPTION', option: 'transport' });
    expect(error.message).toContain("use 'unix' or 'tcp'");
    await pm.shutdown();
  });
}
