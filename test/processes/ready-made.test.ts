// What the ready-made processes promise beyond what the examples show.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createProcessManager } from '#mimas/index.js';
import type Counter from '../../processes/counter.process.js';
import type Flaky from '../../processes/flaky.process.js';
import type Hasher from '../../processes/hasher.process.js';
import { root } from '../helpers/compile.js';
import { temporaryFolder } from '../helpers/temporary.js';

const pm = createProcessManager({ output: 'capture', restartPolicy: { backoff: { initial: 10 } } });
afterAll(() => pm.shutdown());
const file = (name: string) => `${root}/processes/${name}.process.ts`;

describe('hasher', () => {
  it('hashes a file as node:crypto does, and names a file that is not there', async () => {
    const path = join(temporaryFolder(), 'data.bin');
    const data = Buffer.alloc(300_000, 'abc');
    writeFileSync(path, data);
    const hasher = await pm.spawn<Hasher>(file('hasher'));
    const sha256 = createHash('sha256').update(data).digest('hex');
    expect(await hasher.sha256(path)).toEqual({ file: path, sha256, bytes: 300_000 });
    expect(await hasher.digest(data)).toBe(sha256);
    await expect(hasher.sha256(`${path}.not`)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('counter', () => {
  it('starts where its dependencies say, and shows each watcher the value and its changes', async () => {
    const counter = await pm.spawn<Counter>(file('counter'), { dependencies: { start: 5, step: 2 } });
    const seen: number[] = [];
    for await (const value of counter.watch()) {
      seen.push(value);
      if (seen.length === 3) break;
      await counter.increment();
    }
    expect(seen).toEqual([5, 7, 9]);
  });
});

describe('flaky', () => {
  it.each(['crash', 'reject', 'exit'] as const)('%s ends the process, which comes back', async (method) => {
    const flaky = await pm.spawn<Flaky>(file('flaky'));
    const { threadId } = await flaky.whoami();
    await expect(flaky[method]()).rejects.toMatchObject({ code: 'PROCESS_CRASHED', maybeExecuted: true });
    expect((await flaky.whoami()).threadId).not.toBe(threadId);
    await flaky.$handle.stop();
  });

  it('killSelf of a child is a death by signal', async () => {
    const flaky = await pm.spawn<Flaky>(file('flaky'), { isolation: 'child' });
    await expect(flaky.killSelf()).rejects.toMatchObject({ code: 'PROCESS_CRASHED', signal: 'SIGKILL' });
    await flaky.$handle.stop();
  });

  it('leak goes over a memory limit', async () => {
    const flaky = await pm.spawn<Flaky>(file('flaky'), { resources: { maxMemory: '64MB' } });
    await expect(flaky.leak(500)).rejects.toMatchObject({ code: 'MEMORY_LIMIT' });
    await flaky.$handle.stop();
  });

  it('failAfter gives its items, then its error', async () => {
    const flaky = await pm.spawn<Flaky>(file('flaky'));
    const seen: number[] = [];
    await expect((async () => {
      for await (const n of flaky.failAfter(2)) seen.push(n);
    })()).rejects.toThrow(RangeError);
    expect(seen).toEqual([0, 1]);
    await flaky.$handle.stop();
  });
});
