// A proxy tells the truth about itself, whatever it stands for: its public methods, what any object has, and nothing else.
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createRemote } from '../../src/rpc/remote.js';

const remote = createRemote({ name: 'calc', id: 'calc-1', methods: () => ['add', 'countTo'], withheld: () => ['secret'], invoke: (method, args) => Promise.resolve([method, args]) }) as Record<string | symbol, unknown>;

describe('a proxy', () => {
  it.each(['add', 'countTo', 'toString', 'hasOwnProperty', 'constructor', '$with', '__processId'])('has %s, and `in` says so', (name) => {
    expect(remote[name]).toBeDefined();
    expect(name in remote).toBe(true);
  });

  it.each(['then', 'toJSON', 'onModuleInit', 'getter', 'asymmetricMatch', '$$typeof', '__esModule', 'nosuch', Symbol.iterator, Symbol.asyncIterator, Symbol.toPrimitive])('has no %s, and `in` says so', (name) => {
    expect(remote[name]).toBeUndefined();
    expect(name in remote).toBe(false);
  });

  it('is an object like any other, with its methods as keys', () => {
    expect(remote instanceof Object).toBe(true);
    expect(Object.keys(remote)).toEqual(['add', 'countTo']);
    expect(Object.hasOwn(remote, 'add')).toBe(true);
    expect(inspect(remote)).toBe("Remote<calc> { id: 'calc-1', methods: [add, countTo] }");
    expect(JSON.stringify(remote)).toBe('{}');
    expect(() => structuredClone(remote)).toThrow(/could not be cloned/);
  });

  it('comes out of a promise as itself', async () => expect(await Promise.resolve(remote)).toBe(remote));

  it('keeps what is not public from being called, but not from being asked for', async () => {
    expect('secret' in remote).toBe(false);
    await expect((remote['secret'] as () => Promise<unknown>)()).rejects.toMatchObject({ code: 'METHOD_NOT_FOUND' });
  });

  it('takes no properties', () => expect(() => (remote['extra'] = 1)).toThrow(/cannot set extra on the proxy of a process/));
});
