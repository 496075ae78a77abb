// What is written on the errors that end calls, and on which.
import { describe, expect, it } from 'vitest';
import { CallTimeoutError, LinkClosedError, MimasError, RemoteError } from '../../src/errors.js';
import { isRefusal, mayHaveRun, told, untold } from '../../src/rpc/maybe-executed.js';

describe('told', () => {
  it('says it on the error itself, once', () => {
    const error = new LinkClosedError('cut');
    expect('maybeExecuted' in error).toBe(false);
    expect(told(error, true)).toBe(error);
    expect(error.maybeExecuted).toBe(true);
    expect(told(error, true)).toBe(error);
  });

  it('says something else of another call on a copy, which is as good as the original', () => {
    const cause = new Error('why');
    const error = new CallTimeoutError('late', { timeout: 5, cause });
    told(error, true);
    const other = told(error, false) as CallTimeoutError;
    expect([error.maybeExecuted, other.maybeExecuted]).toEqual([true, false]);
    expect(other).toBeInstanceOf(CallTimeoutError);
    expect(other).toBeInstanceOf(MimasError);
    expect(other).toMatchObject({ name: 'CallTimeoutError', code: 'CALL_TIMEOUT', message: 'late', timeout: 5 });
    expect(other.cause).toBe(cause);
    expect(other.stack).toBe(error.stack);
    expect(Object.keys(other).sort()).toEqual(Object.keys(error).sort());
    expect(Object.prototype.toString.call(other)).toBe('[object Error]');
  });

  it.each([true, false])('leaves a frozen one as it is (%s)', (first) => {
    const error = Object.freeze(told(new LinkClosedError('cut'), first)) as LinkClosedError;
    const other = told(error, !first) as LinkClosedError;
    expect([error.maybeExecuted, other.maybeExecuted]).toEqual([first, !first]);
    expect((told(Object.freeze(new LinkClosedError('cut')), first) as LinkClosedError).maybeExecuted).toBe(first);
  });

  it.each([new RangeError('r'), new RemoteError('m', 'Theirs'), new DOMException('a', 'AbortError'), 'text', undefined, null, { code: 'LINK_CLOSED' }])('touches nothing but errors of Mimas: %s', (error) => {
    expect(told(error, true)).toBe(error);
    expect(Object.hasOwn(Object(error) as object, 'maybeExecuted')).toBe(false);
  });
});

it('what says nothing came from the method, and is nobody’s refusal', () => {
  expect([new RangeError('r'), told(new LinkClosedError('l'), true), told(new LinkClosedError('l'), false)].map(mayHaveRun)).toEqual([true, true, false]);
  expect([new RangeError('r'), told(new LinkClosedError('l'), true), told(new LinkClosedError('l'), false)].map(isRefusal)).toEqual([false, false, true]);
});

it('a start is no call', () => {
  expect('maybeExecuted' in (untold(told(new LinkClosedError('l'), true)) as object)).toBe(false);
});
