// `await using` of what a manager gives: its process, pool or connection ends with the block, however the block ends.
import { describe, expect, it } from 'vitest';
import { createProcessManager, type ProcessHandle } from 'mimas';

interface Calculator { add(a: number, b: number): number }
const FILE = 'processes/calculator.process.ts';

describe.each(['none', 'worker', 'child'] as const)('isolation %s', (isolation) => {
  it('a process ends with its block, and others go on', async () => {
    await using pm = createProcessManager({ isolation });
    const other = await pm.spawn<Calculator>(FILE);
    let handle: ProcessHandle;
    {
      await using calc = await pm.spawn<Calculator>(FILE);
      handle = calc.$handle;
      expect(await calc.add(1, 2)).toBe(3);
    }
    expect(handle.status).toBe('stopped');
    expect(await other.add(1, 2)).toBe(3);
  });
});

it('a pool ends with its block', async () => {
  await using pm = createProcessManager();
  let handle;
  {
    await using pool = await pm.pool<Calculator>(FILE, { size: 2 });
    handle = pool.$handle;
    expect(await pool.add(1, 2)).toBe(3);
  }
  expect(handle.state).toBe('stopped');
  expect(pm.listProcesses().filter(({ status }) => status !== 'stopped')).toEqual([]);
});

it('a connection ends with its block, the process that it reached does not', async () => {
  await using pm = createProcessManager();
  const served = await pm.serve<Calculator>(FILE);
  {
    await using remote = await pm.connect<Calculator>(served.address, { token: served.token });
    expect(await remote.add(1, 2)).toBe(3);
  }
  await using again = await pm.connect<Calculator>(served.address, { token: served.token });
  expect(await again.add(1, 2)).toBe(3);
});

it('a block that throws ends its process as well, and the error is its own', async () => {
  await using pm = createProcessManager();
  let handle: ProcessHandle | undefined;
  const block = async () => {
    await using calc = await pm.spawn<Calculator>(FILE);
    handle = calc.$handle;
    throw new RangeError('of the block');
  };
  await expect(block()).rejects.toThrow(new RangeError('of the block'));
  expect(handle?.status).toBe('stopped');
});

it('a process that was stopped, killed or shut down before is no error', async () => {
  await using pm = createProcessManager();
  for (const end of [(handle: ProcessHandle) => handle.stop(), (handle: ProcessHandle) => handle.kill(), () => pm.shutdown()]) {
    await using calc = await pm.spawn<Calculator>(FILE);
    await end(calc.$handle);
  }
});
