// The edges of a link, with real processes: an error larger than a frame keeps what has room, a callback after its call is warned of once,
// one signal for many calls is no leak.
import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keep, type Remote } from 'mimas';
import { onAbort, offAbort } from '../../src/rpc/abort-listeners.js';
import { fixture, isolations, manager, rejection } from '../manager/helpers.js';

interface Edges {
  fieldsTooLarge(bytes: number): void;
  causeTooLarge(bytes: number): void;
  messageTooLarge(bytes: number): void;
  errorsTooLarge(bytes: number): void;
  failsLate(bytes: number): AsyncGenerator<number>;
  callsBack(callback: () => void): [boolean, string, number, string[]];
  hold(callback: (i?: number) => void): void;
  fire(times: number): void;
  fireAwaiting(): string[];
  warnings(): { message: string; code: string }[];
  sleep(ms: number): Promise<void>;
  passOn(other: unknown, times: number): Promise<{ message: string }[]>;
}
const file = fixture('edges.js');
const FRAME = 64 * 1024;
const LARGE = 3 * FRAME;

const warned: Error[] = [];
const hear = (warning: Error) => void (warning.name === 'MaxListenersExceededWarning' && warned.push(warning));
beforeEach(() => void process.on('warning', hear));
afterEach(() => void process.off('warning', hear));
/** Warnings are told in a turn of their own. */
const turns = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe.each([...isolations.map((isolation) => [isolation, 'ipc'] as const), ['worker', 'unix'], ['child', 'tcp']] as const)('%s over %s: an error that is larger than a frame', (isolation, transport) => {
  const spawn = () => manager({ maxFrame: FRAME }).spawn<Edges>(file, { isolation, transport });

  it('arrives without the field that is too large, which is named', async () => {
    const error = await rejection((await spawn()).fieldsTooLarge(LARGE));
    expect(error).toBeInstanceOf(RangeError);
    expect({ ...error, message: error.message }).toEqual({ message: 'too big', code: 'EBIG', first: 1, last: { deep: [true] }, omitted: ['payload'] });
    expect(error.stack).toContain('edges.js');
  });

  it('arrives with its cause, which has lost what was too large', async () => {
    const error = await rejection((await spawn()).causeTooLarge(LARGE));
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({ message: 'outer', cause: { message: 'inner', small: 2, omitted: ['payload'] }, omitted: ['cause.payload'] });
    expect(error.cause).toBeInstanceOf(RangeError);
  });

  it('arrives with the beginning of a message that is too large', async () => {
    const error = await rejection((await spawn()).messageTooLarge(LARGE));
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ code: 'ELONG', omitted: ['message'] });
    expect(error.message).toMatch(/^m{1000,}… \(cut: it is larger than maxFrame\)$/);
  });

  it('arrives without errors that are too large', async () => {
    const error = await rejection((await spawn()).errorsTooLarge(LARGE));
    expect(error).toBeInstanceOf(AggregateError);
    expect(error).toMatchObject({ message: 'several', cause: 'small', omitted: ['errors'] });
  });

  it('does so at the end of a stream, and from a callback', async () => {
    const edges = await spawn();
    const items: number[] = [];
    const late = await rejection((async () => {
      for await (const item of edges.failsLate(LARGE)) items.push(item);
    })());
    expect(items).toEqual([1]);
    expect(late).toMatchObject({ code: 'EBIG', omitted: ['payload'] });
    const callback = () => {
      throw Object.assign(new RangeError('too big'), { code: 'EBIG', first: 1, payload: 'x'.repeat(LARGE) });
    };
    expect(await edges.callsBack(callback)).toEqual([true, 'EBIG', 1, ['payload']]);
  });
});

describe.each(['worker', 'child'] as const)('%s: a callback that is called after its call', (isolation) => {
  it('is warned of once when nobody waits for it, and by its name', async () => {
    const edges = await manager().spawn<Edges>(file, { isolation });
    await edges.hold(function listener() {});
    await edges.fire(3);
    await edges.fire(1);
    const [warning, ...others] = await edges.warnings();
    expect(others).toEqual([]);
    expect(warning).toMatchObject({ code: 'CALLBACK_RELEASED' });
    expect(warning!.message).toMatch(/^listener\(\): the callback passed to .* hold it with keep\(fn\)/);
    // Another one is another's fault.
    await edges.hold(() => {});
    await edges.fire(2);
    expect((await edges.warnings()).length).toBe(1);
  });

  it('is not warned of when somebody waits for it, in any way, or when it is kept', async () => {
    const edges = await manager().spawn<Edges>(file, { isolation });
    await edges.hold(() => {});
    expect(await edges.fireAwaiting()).toEqual(['CALLBACK_RELEASED', 'CALLBACK_RELEASED', 'CALLBACK_RELEASED']);
    const heard: unknown[] = [];
    await edges.hold(keep((i) => heard.push(i)));
    await edges.fire(2);
    expect(await edges.warnings()).toEqual([]);
    expect(heard).toEqual([0, 1]);
  });
});

describe('one signal', () => {
  type Sleeper = Pick<Remote<Edges>, 'sleep' | '$with'>;
  const places: Record<string, () => Promise<Sleeper>> = {
    process: async () => manager().spawn<Edges>(file),
    'process over unix': async () => manager().spawn<Edges>(file, { transport: 'unix' }),
    'process in this thread': async () => manager().spawn<Edges>(file, { isolation: 'none' }),
    pool: async () => (await manager().pool<Edges>(file, { size: 2, concurrency: 2 })) as unknown as Sleeper,
    'CPU pool': async () => (await manager({ output: 'inherit' }).pool<Edges>(file, { size: 2, workload: 'cpu' })) as unknown as Sleeper,
  };

  it.each(Object.entries(places))('for many calls of a %s warns of no leak, and all hear of its end', async (_, make) => {
    const place = await make();
    const controller = new AbortController();
    const { signal } = controller;
    await Promise.all(Array.from({ length: 20 }, () => place.$with({ signal }).sleep(1)));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    const reason = new Error('enough');
    const calls = Array.from({ length: 20 }, () => rejection(place.$with({ signal }).sleep(60_000)));
    controller.abort(reason);
    expect(new Set(await Promise.all(calls))).toEqual(new Set([reason]));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    await turns();
    expect(warned.splice(0)).toEqual([]);
  });

  it.each(['io', 'cpu'] as const)('for the start of a whole %s pool does not, either', async (workload) => {
    const pool = await manager({ output: 'inherit' }).pool<Edges>(file, { size: 12, workload });
    await pool.sleep(1);
    await turns();
    expect(warned.splice(0)).toEqual([]);
  });

  it('that a call passes on to many others does not, either', async () => {
    const pm = manager();
    const [outer, inner] = [await pm.spawn<Edges>(file), await pm.spawn<Edges>(file)];
    expect(await outer.passOn(inner, 20)).toEqual([]);
  });

  it('tells each listener once, those that throw and those that leave meanwhile included', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const told: string[] = [];
    const leaves = () => void told.push('leaves');
    const thrown: unknown[] = [];
    const catches = (error: unknown) => void thrown.push(error);
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException').on('uncaughtException', catches);
    onAbort(signal, () => told.push('first'));
    onAbort(signal, () => {
      throw new Error('its own fault');
    });
    onAbort(signal, leaves);
    offAbort(signal, leaves);
    onAbort(signal, () => told.push('last'));
    expect(getEventListeners(signal, 'abort').length).toBe(1);
    controller.abort();
    await turns();
    process.removeAllListeners('uncaughtException');
    for (const other of others) process.on('uncaughtException', other);
    expect(told).toEqual(['first', 'last']);
    expect(thrown).toEqual([expect.objectContaining({ message: 'its own fault' })]);
  });
});
