// What test matchers, loggers and the language itself ask a proxy about itself. `runner` as for spawning().
import { inspect } from 'node:util';
import { createProcessManager } from 'mimas';

const SAMPLES = new URL('./samples.process.ts', import.meta.url);
const METHODS = ['add', 'fail', 'values', 'classesOf', 'countTo', 'callBack', 'untilAborted', 'header', 'fill'];
/** What frameworks ask of what they are given. */
const ASKED = [
  'then', 'toJSON', 'asymmetricMatch', 'onModuleInit', 'onModuleDestroy', 'onApplicationBootstrap', 'onApplicationShutdown', 'beforeApplicationShutdown', 'getter', 'setter', 'nodeType', 'tagName',
  '$$typeof', '@@__IMMUTABLE_ITERABLE__@@', '@@__IMMUTABLE_RECORD__@@', '_isMockFunction', 'mock', 'calls', 'length', 'size', 'constructorName', 'inspect', 'sample', 'nosuch', '__esModule', 'default',
];

export function proxy({ describe, it, expect, beforeAll, afterAll }) {
  describe('a proxy', () => {
    const pm = createProcessManager({ isolation: 'none' });
    let one;
    let other;
    beforeAll(async () => {
      one = await pm.spawn(SAMPLES);
      other = await pm.spawn(SAMPLES);
    });
    afterAll(() => pm.shutdown());

    it.each(ASKED)('has no %s', (name) => {
      expect(one[name]).toBe(undefined);
      expect(name in one).toBe(false);
    });

    it('goes through matchers like any object', () => {
      expect(one).toBe(one);
      expect(one).toEqual(one);
      expect(one).toStrictEqual(one);
      expect(one).not.toBe(other);
      expect(one).toBeDefined();
      expect(one).toBeTruthy();
      expect(one).toBeInstanceOf(Object);
      expect({ calc: one, n: 1 }).toEqual({ calc: one, n: 1 });
      expect({ calc: one, n: 1 }).toMatchObject({ n: 1 });
      expect([other, one]).toContain(one);
      expect(one).toHaveProperty('add');
      expect(one).not.toHaveProperty('nosuch');
      expect({ calc: one }).toEqual({ calc: expect.anything() });
      expect({ calc: one }).toEqual({ calc: expect.objectContaining({ add: expect.any(Function) }) });
      expect(one).not.toEqual({});
      expect(one).not.toEqual(null);
      expect(one).not.toEqual({ add: 1 });
    });

    it('is printed when a matcher fails', () => {
      expect(() => expect(one).toBe(other)).toThrow(/samples|add/);
      expect(() => expect({ calc: one }).toEqual({ calc: 1 })).toThrow();
      expect(() => expect(one).toBeNull()).toThrow(/samples|add/);
    });

    it('can be given back by a promise', async () => {
      expect(await Promise.resolve(one)).toBe(one);
      expect(await (async () => one)()).toBe(one);
      await expect(Promise.resolve(one)).resolves.toBe(one);
    });

    it('says which methods there are, and nothing else', () => {
      expect(Object.keys(one).sort()).toEqual([...METHODS].sort());
      expect(METHODS.every((name) => name in one)).toBe(true);
      expect('withheld' in one).toBe(false);
      expect('toString' in one).toBe(true);
      expect(Object.keys({ ...one }).sort()).toEqual([...METHODS].sort());
      const names = [];
      for (const name in one) names.push(name);
      expect(names.sort()).toEqual([...METHODS].sort());
      expect(inspect(one)).toMatch(/^Remote<samples> \{ id: '.+', methods: \[add, .*fill\] \}$/);
      expect(inspect({ deep: { calc: one } }, { depth: 5 })).toContain('Remote<samples>');
      expect(typeof inspect(one, { customInspect: false, showHidden: true })).toBe('string');
      expect(String(one)).toBe('[object Remote(samples)]');
    });

    it('is an empty object to JSON, and refuses to be cloned as any object with functions', () => {
      expect(JSON.stringify({ calc: one })).toBe('{"calc":{}}');
      let refused;
      try {
        structuredClone(one);
      } catch (error) {
        refused = error;
      }
      expect(refused?.name).toBe('DataCloneError');
    });

    it('answers a method that is not public by METHOD_NOT_FOUND', async () => {
      await expect(one.withheld()).rejects.toMatchObject({ code: 'METHOD_NOT_FOUND', message: expect.stringContaining('@Public()') });
    });
  });
}
