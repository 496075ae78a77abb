// What must hold in a test runner, whichever realm it evaluates its modules in. `runner` has the runner's own describe, it, expect, afterAll.
import * as mimas from 'mimas';

const { createProcessManager } = mimas;
const SAMPLES = new URL('./samples.process.ts', import.meta.url);
const PLACES = [['none', 'ipc'], ['none', 'tcp'], ['worker', 'ipc'], ['worker', 'unix'], ['child', 'ipc'], ['child', 'ws']];
const values = () => ({
  map: new Map([[1, 2]]), set: new Set([1]), date: new Date(1), array: [1], pattern: /x/, bytes: new Uint8Array([1]),
  floats: new Float64Array([1]), memory: new ArrayBuffer(1), buffer: Buffer.from('x'), error: new RangeError('x'), plain: { a: 1 },
});

export function spawning({ describe, it, expect, afterAll }) {
  it('the errors of Mimas are errors of the test', () => expect(mimas.MethodNotFoundError.prototype).toBeInstanceOf(Error));

  describe.each(PLACES)('spawned in %s over %s', (isolation, transport) => {
    const pm = createProcessManager();
    let spawned;
    const samples = () => (spawned ??= pm.spawn(SAMPLES, { isolation, transport }));
    afterAll(() => pm.shutdown());

    it('calls, streams and calls back', async () => {
      const remote = await samples();
      expect(await remote.add(1, 2)).toBe(3);
      const items = [];
      for await (const item of remote.countTo(3)) items.push(item);
      expect(items).toEqual([1, 2, 3].map((n) => ({ n, at: new Date(n) })));
      expect(items.every(({ at }) => at instanceof Date)).toBe(true);
      expect(await remote.callBack((map) => map instanceof Map && map.get('a'))).toBe(1);
      expect(await remote.$with({ headers: { 'x-test': 'yes' } }).header()).toBe('yes');
    });

    it('errors are of the classes that the test has', async () => {
      const remote = await samples();
      await expect(remote.fail('RangeError')).rejects.toThrow(RangeError);
      await expect(remote.fail('RangeError')).rejects.toBeInstanceOf(Error);
      const typed = await remote.fail('TypeError').catch((error) => error);
      expect(typed).toBeInstanceOf(TypeError);
      expect(typed.cause).toBeInstanceOf(SyntaxError);
      const aggregate = await remote.fail('AggregateError').catch((error) => error);
      expect(aggregate).toBeInstanceOf(AggregateError);
      expect(aggregate.errors.map((error) => error.constructor)).toEqual([RangeError, EvalError]);
      const own = await remote.fail('OwnError').catch((error) => error);
      expect(own).toBeInstanceOf(Error);
      expect(own.message).toBe('of its own');
      expect(own.detail.when).toBeInstanceOf(Date);
      await expect(remote.withheld()).rejects.toThrow(mimas.MethodNotFoundError);
      await expect(remote.add(Symbol('no'))).rejects.toThrow(mimas.NotCloneableError);
    });

    it('values are of the classes that the test has, and those that it sends of the classes that the process has', async () => {
      const remote = await samples();
      const got = await remote.values();
      const classes = { map: Map, set: Set, date: Date, array: Array, pattern: RegExp, bytes: Uint8Array, floats: Float64Array, memory: ArrayBuffer, error: RangeError, plain: Object };
      for (const [key, Class] of Object.entries(classes)) expect([key, got[key] instanceof Class]).toEqual([key, true]);
      expect(got.map.get(1)).toBeInstanceOf(Set);
      expect(got.array).toStrictEqual([1, [2, { three: 3 }]]);
      expect(got.plain).toStrictEqual({ a: { b: 1 } });
      const seen = await remote.classesOf(values());
      expect(Object.keys(seen).filter((key) => !seen[key] && key !== 'buffer')).toEqual([]);
    });

    it('cancels, times out, and tells of a file that is not there', async () => {
      const remote = await samples();
      const controller = new AbortController();
      const cancelled = remote.$with({ signal: controller.signal }).untilAborted();
      controller.abort();
      await expect(cancelled).rejects.toBe(controller.signal.reason);
      await expect(remote.$with({ timeout: 20 }).untilAborted()).rejects.toThrow(mimas.CallTimeoutError);
      await expect(pm.spawn(new URL('./nowhere.process.ts', import.meta.url), { isolation })).rejects.toThrow(mimas.ProcessStartError);
    });
  });

  describe('beside single processes', () => {
    const pm = createProcessManager();
    afterAll(() => pm.shutdown());

    it.each(['io', 'cpu'])('a pool for %s works', async (workload) => {
      const pool = await pm.pool(SAMPLES, { size: 2, workload });
      expect(await Promise.all([1, 2, 3, 4].map((n) => pool.add(n, n)))).toEqual([2, 4, 6, 8]);
      await expect(pool.fail('RangeError')).rejects.toThrow(RangeError);
      expect((await pool.values()).map).toBeInstanceOf(Map);
    });

    it('bulkheads, supervision and served processes work', async () => {
      const handle = pm.isolate(SAMPLES, { level: 'session', isolation: 'none' });
      expect(await (await handle.get({ session: 'a' })).add(1, 1)).toBe(2);
      const tree = await pm.supervise([{ name: 'one', file: SAMPLES }]);
      expect(await tree.get('one').add(2, 2)).toBe(4);
      const served = await pm.serve(SAMPLES, { listen: 'tcp://127.0.0.1:0' });
      const remote = await pm.connect(served.address, { token: served.token });
      await expect(remote.fail('RangeError')).rejects.toThrow(RangeError);
    });

    it('a listener that throws harms nobody', async () => {
      const own = createProcessManager();
      own.on('spawn', () => {
        throw new RangeError('a listener of this test: its warning is no fault');
      });
      expect(await (await own.spawn(SAMPLES, { isolation: 'none' })).add(1, 2)).toBe(3);
      await own.shutdown();
    });

    it('a thread over its memory limit is told as such', async () => {
      const own = createProcessManager({ restartPolicy: { maxRestarts: 0 } });
      const remote = await own.spawn(SAMPLES, { resources: { maxMemory: '32MB' } });
      await expect(remote.fill()).rejects.toThrow(mimas.MemoryLimitError);
      await own.shutdown();
    });

    it('metrics and health can be asked for', async () => {
      const remote = await pm.spawn(SAMPLES);
      await remote.add(1, 1);
      expect(await pm.prometheus()).toContain('mimas_');
      expect((await pm.getHealth()).status).toBe('healthy');
      expect((await pm.metricsJson()).processes.length > 0).toBe(true);
    });
  });
}
