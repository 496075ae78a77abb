// What has come and gone is held by nobody: no registry, timer, listener or closure keeps a handle whose unit has ended and was let go of.
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, expect, it } from 'vitest';
import { createProcessManager } from 'mimas';
import { folder } from '../contract/links.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const TOKEN = 'a-token-of-enough-characters';
const calculator = new URL('../../processes/calculator.process.ts', import.meta.url);
const pm = createProcessManager({ isolation: 'none', monitoring: { metrics: false } });
afterAll(() => pm.shutdown());

interface Calls { add(a: number, b: number): Promise<number>; readonly $handle: object }
let served: string | undefined;

/** Each makes one, calls it, ends it, and gives its handle. */
const LIVES: Record<string, () => Promise<object>> = {
  async 'a connection'() {
    served ??= (await pm.serve(calculator, { listen: `unix:${folder}/retention.sock`, token: TOKEN })).address;
    const calls: Calls = await pm.connect(served, { token: TOKEN });
    await calls.add(1, 2);
    await (calls.$handle as { close(): Promise<void> }).close();
    return calls.$handle;
  },
  async 'a connection that could not be made'() {
    served ??= (await pm.serve(calculator, { listen: `unix:${folder}/retention.sock`, token: TOKEN })).address;
    return pm.connect(served, { token: `${TOKEN}, but another` }).then(() => expect.fail('it was let in'), (error: object) => error);
  },
  async 'a pool'() {
    const pool: Calls = await pm.pool(calculator, { size: 2 });
    await pool.add(1, 2);
    await (pool.$handle as { stop(): Promise<void> }).stop();
    return pool.$handle;
  },
  async 'a start that fails'() {
    return pm.spawn(new URL('no-such.process.ts', calculator)).then(() => expect.fail('it started'), (error: object) => error);
  },
};

it.each(Object.keys(LIVES))('%s is held by nobody when it has ended', async (name) => {
  const lives: WeakRef<object>[] = [];
  for (let i = 0; i < 40; i++) lives.push(new WeakRef(await LIVES[name]!()));
  const left = async () => {
    collect();
    await sleep(10);
    return lives.filter((life) => life.deref() !== undefined).length;
  };
  // The last may still stand in somebody's register.
  await expect.poll(left, { timeout: 20_000 }).toBeLessThanOrEqual(2);
});
