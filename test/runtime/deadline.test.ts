// A deadline comes, whatever the garbage collector does meanwhile.
import { spawnSync } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deadline } from '../../src/runtime/deadline.js';
import { root } from '../helpers/compile.js';

describe('deadline', () => {
  it('aborts when its time is over, or with the other signal and its reason', async () => {
    const { signal } = deadline(10);
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    expect((signal.reason as Error).name).toBe('TimeoutError');
    const other = new AbortController();
    const cut = deadline(60_000, other.signal);
    other.abort('enough');
    expect([cut.signal.aborted, cut.signal.reason]).toEqual([true, 'enough']);
    expect(deadline(60_000, other.signal).signal.reason).toBe('enough');
  });

  it('leaves nothing behind when it is done, and takes years for years', () => {
    const other = new AbortController();
    const { signal, done } = deadline(1e15, other.signal);
    done();
    expect(getEventListeners(other.signal, 'abort')).toEqual([]);
    expect(signal.aborted).toBe(false);
  });
});

it('a program that ignores SIGTERM is killed when its grace is over, also when garbage is collected all the time', () => {
  const code = `
    import { Executable } from ${JSON.stringify(new URL('../../dist/runtime/executable.js', import.meta.url).href)};
    let ready;
    const printed = new Promise((resolve) => (ready = resolve));
    const started = await Executable.start({ name: 'deaf', command: 'sh', args: ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.05; done'], onLine: () => ready() });
    await printed;
    const timer = setInterval(gc, 5);
    await started.stop({ grace: 300 });
    clearInterval(timer);
    console.log(started.exit.signal);`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', code], { encoding: 'utf8', timeout: 10_000 });
  expect([stdout, stderr]).toEqual(['SIGKILL\n', '']);
});

it('nobody uses AbortSignal.any: on Node 20 a timeout in it may be lost', () => {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts') && !name.endsWith('runtime/deadline.ts'));
  expect(sources.filter((name) => readFileSync(join(root, 'src', name), 'utf8').includes('AbortSignal.any('))).toEqual([]);
});
