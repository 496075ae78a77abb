// What a process inherits: the environment of the program that starts it, without Mimas's own secrets.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createProcessManager } from 'mimas';
import { environmentOf, threadEnvironment } from '../../dist/runtime/environment.js';
import { Executable } from '../../dist/runtime/executable.js';
import { root } from '../helpers/compile.js';
import { temporaryFolder } from '../helpers/temporary.js';

const file = join(temporaryFolder(), 'teller.process.mjs');
writeFileSync(file, `import { Process, Public } from '${join(root, 'dist/index.js')}';
export default class Teller { known() { return [process.env.MIMAS_TOKEN, process.env.OTHER]; } }
Public()(Teller.prototype, 'known', Object.getOwnPropertyDescriptor(Teller.prototype, 'known'));
Process({ name: 'teller' })(Teller);
`);
interface Teller { known(): (string | undefined)[] }

beforeEach(() => Object.assign(process.env, { MIMAS_TOKEN: 'a-secret-of-this-program', OTHER: 'passed-on' }));
afterEach(() => {
  delete process.env['MIMAS_TOKEN'];
  delete process.env['OTHER'];
});

describe('MIMAS_TOKEN', () => {
  it.each(['worker', 'child'] as const)('is not inherited by a process in a %s; one that is given is there', async (isolation) => {
    await using pm = createProcessManager();
    expect(await (await pm.spawn<Teller>(file, { isolation })).known()).toEqual([undefined, 'passed-on']);
    expect(await (await pm.spawn<Teller>(file, { isolation, env: { OTHER: 'given' } })).known()).toEqual([undefined, 'given']);
    expect(await (await pm.spawn<Teller>(file, { isolation, env: { MIMAS_TOKEN: 'its-own-one' } })).known()).toEqual(['its-own-one', 'passed-on']);
  });

  it('is not inherited by the threads of a pool for the CPU', async () => {
    await using pm = createProcessManager();
    const pool = await pm.pool<Teller>(file, { size: 1, workload: 'cpu' });
    expect(await pool.known()).toEqual([undefined, 'passed-on']);
  });

  it('is not inherited by an executable', async () => {
    const lines: string[] = [];
    const started = await Executable.start({ name: 'env', command: 'env', onLine: (line) => lines.push(line) });
    await started.gone();
    expect([lines.includes('OTHER=passed-on'), lines.some((line) => line.startsWith('MIMAS_TOKEN'))]).toEqual([true, false]);
  });
});

it('a thread whose program has no secret gets no environment of its own, which would cost', () => {
  expect(threadEnvironment(undefined)).toEqual(environmentOf(undefined));
  delete process.env['MIMAS_TOKEN'];
  expect(threadEnvironment(undefined)).toBeUndefined();
});
