// Errors arrive as what they were, as far as the receiving side knows the class.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CallTimeoutError, MimasError, ProcessCrashedError, RemoteError } from '../../src/errors.js';
import { joinStacks, registerErrorClass } from '../../src/rpc/wire-error.js';
import { LEVELS, pair } from './pair.js';

class Registered extends RangeError {
  constructor(readonly detail: Map<string, number>) {
    super(`detail of ${detail.size}`);
    this.name = 'Registered';
  }
  get doubled() { return this.detail.size * 2; }
}
registerErrorClass(Registered);
class Unknown extends TypeError {
  code = 'E_UNKNOWN';
  details = { when: new Date(5), list: [1n] };
}

describe.each(LEVELS)('%s link', (level) => {
  const send = <T>(value: T, redact = false): T => pair(level).send(value, { root: 'error', redact }) as T;

  it.each([Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError])('keeps the built-in class %o', (Class) => {
    const error = new Class('message é');
    const arrived = send(error);
    expect(Object.getPrototypeOf(arrived)).toBe(Class.prototype);
    expect([arrived.name, arrived.message, arrived.stack]).toEqual([error.name, error.message, error.stack]);
    expect(Object.keys(arrived)).toEqual([]);
  });

  it('keeps AggregateError with its errors, and a cause that leads in a circle', () => {
    const inner = new RangeError('inner');
    const error = new AggregateError([inner, 'text', inner], 'all', { cause: inner });
    inner.cause = error;
    const arrived = send(error);
    expect(arrived).toBeInstanceOf(AggregateError);
    expect(arrived.errors[1]).toBe('text');
    expect(arrived.errors[0]).toBeInstanceOf(RangeError);
    expect(arrived.errors[0]).toBe(arrived.errors[2]);
    expect(arrived.cause).toBe(arrived.errors[0]);
    expect((arrived.cause as Error).cause).toBe(arrived);
    expect(Object.keys(arrived)).toEqual([]);
  });

  it('keeps DOMException with name and code', () => {
    const arrived = send(new DOMException('stopped', 'AbortError'));
    expect(arrived).toBeInstanceOf(DOMException);
    expect([arrived.name, arrived.code, arrived.message]).toEqual(['AbortError', 20, 'stopped']);
  });

  it('keeps own fields and the name of a plain error', () => {
    const error = Object.assign(new Error('m'), { name: 'Custom', status: 404, nested: { map: new Map([[1, 2]]) } });
    const arrived = send(error);
    expect(arrived).toMatchObject({ name: 'Custom', status: 404, nested: { map: new Map([[1, 2]]) } });
    try {
      readFileSync('/nowhere');
    } catch (thrown) {
      expect(send(thrown)).toMatchObject({ code: 'ENOENT', syscall: 'open', path: '/nowhere' });
    }
    try {
      Buffer.from(5 as unknown as string);
    } catch (thrown) {
      expect(Object.getPrototypeOf(send(thrown))).toBe(TypeError.prototype);
      expect(send(thrown)).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
    }
  });

  it("restores Mimas's own errors by code", () => {
    const error = new ProcessCrashedError('died', { process: 'calc', exitCode: null, cause: new CallTimeoutError('late', { timeout: 5 }) });
    const arrived = send(error);
    expect(arrived).toBeInstanceOf(ProcessCrashedError);
    expect(arrived).toBeInstanceOf(MimasError);
    expect(arrived).toMatchObject({ name: 'ProcessCrashedError', code: 'PROCESS_CRASHED', process: 'calc', exitCode: null });
    expect(arrived.cause).toBeInstanceOf(CallTimeoutError);
  });

  it('rebuilds a registered class without running its constructor', () => {
    const arrived = send(new Registered(new Map([['a', 1]])));
    expect(arrived).toBeInstanceOf(Registered);
    expect(arrived).toBeInstanceOf(RangeError);
    expect([arrived.name, arrived.message, arrived.doubled, arrived.detail.get('a')]).toEqual(['Registered', 'detail of 1', 2, 1]);
    expect(Object.prototype.toString.call(arrived)).toBe('[object Error]');
  });

  it('makes a RemoteError of an unknown class, over several hops', () => {
    const arrived = send(send(new Unknown('what')));
    expect(arrived).toBeInstanceOf(RemoteError);
    expect(arrived).toMatchObject({ name: 'Unknown', message: 'what', code: 'E_UNKNOWN', details: { when: new Date(5), list: [1n] } });
    class Bare extends Error {}
    expect(Object.keys(send(new Bare('b')))).toEqual([]);
  });

  it('is never failed by a field that cannot be cloned', () => {
    const error = Object.assign(new Error('m'), {
      run: function later() {}, symbol: Symbol('s'), promise: Promise.resolve(), socket: { inner: new WeakMap(), ok: 1 }, cause: () => 1,
    });
    Object.defineProperty(error, 'angry', { enumerable: true, get() { throw new Error('no'); } });
    const arrived = send(error) as unknown as Record<string, unknown>;
    expect(arrived).toMatchObject({ run: '[function later]', symbol: '[Symbol(s)]', promise: '[Promise]', socket: { inner: '[WeakMap]', ok: 1 }, angry: '[a getter that threw]' });
    let deep: unknown = 1;
    for (let i = 0; i < 5000; i++) deep = [deep];
    expect(send(Object.assign(new Error('m'), { deep })).message).toBe('m');
    expect(send(new Proxy(new Error('proxied'), {})).message).toBe('proxied');
  });

  it('drops the stack when redacted, of causes too', () => {
    const arrived = send(new Error('m', { cause: new TypeError('inner') }), true);
    expect(arrived.stack).toBe('Error: m');
    expect((arrived.cause as Error).stack).toBe('TypeError: inner');
  });

  it.each([['a string', 'x'], ['undefined', undefined], ['an object', { a: 1 }], ['null', null]])('carries %s that was thrown', (_, thrown) => {
    expect(send(thrown)).toEqual(thrown);
  });
});

describe('joinStacks', () => {
  it('shows what threw, the border and who called', () => {
    const joined = joinStacks('Error: m\n    at add (calc.ts:1:1)', 'Error: m\n    at main (main.ts:2:2)', 'calculator (worker)');
    expect(joined.split('\n')).toEqual(['Error: m', '    at add (calc.ts:1:1)', '    --- calculator (worker) ---', '    at main (main.ts:2:2)']);
    expect(joinStacks('Error: m', undefined, 'p')).toBe('Error: m\n    --- p ---');
  });
});
