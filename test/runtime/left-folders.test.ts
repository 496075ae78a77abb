// Folders in the temporary one: whose they are stands in their names, and what a killed program leaves goes with the next start.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { makeLeavable, sweepLeftFolders } from '../../dist/runtime/left-folders.js';
import { ownFolder, runtimeFolder } from '../../dist/runtime/own-folder.js';
import { root } from '../helpers/compile.js';
import { STRANGER } from '../helpers/stranger.js';
import { temporaryFolder } from '../helpers/temporary.js';

const children: import('node:child_process').ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A program that runs ES module code in `parent` as its temporary folder; answers its first line. */
async function program(parent: string, code: string) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { cwd: root, env: { ...process.env, TMPDIR: parent }, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { child, line };
}

async function killed(parent: string, code: string): Promise<string> {
  const { child, line } = await program(parent, code);
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
  return line;
}

const SPAWN = `import { createProcessManager } from 'mimas';
const pm = createProcessManager({ transport: 'unix' });
await pm.spawn('./processes/calculator.process.ts', { isolation: 'worker' });`;
const MAKE = `import { makeLeavable } from ${JSON.stringify(join(root, 'dist/runtime/left-folders.js'))};\nconst folder = makeLeavable();`;
const STAY = '\nsetInterval(() => {}, 1000);';

describe('what a killed program leaves', () => {
  it('goes with the next start of a program, and one that ends by itself leaves nothing', async () => {
    const parent = temporaryFolder();
    const alive = await program(parent, `${SPAWN}\nconsole.log('up');${STAY}`);
    const [living] = readdirSync(parent);
    await killed(parent, `${SPAWN}\nconsole.log('up');${STAY}`);
    const left = readdirSync(parent).find((name) => name !== living)!;
    expect([readdirSync(join(parent, left)).length, (statSync(join(parent, left)).mode & 0o777).toString(8)]).toEqual([1, '700']);
    // The sweep runs beside the start: this program ends when it is over, by itself.
    const next = spawn(process.execPath, ['--input-type=module', '-e', `${SPAWN}\nawait pm.shutdown();`], { cwd: root, env: { ...process.env, TMPDIR: parent }, stdio: 'inherit' });
    expect(await once(next, 'exit')).toEqual([0, null]);
    expect(readdirSync(parent)).toEqual([living]);
    expect(readdirSync(join(parent, living!)).length).toBe(1);
    alive.child.kill('SIGKILL');
  });

  it('is removed once, by whoever of many comes first', async () => {
    const parent = temporaryFolder();
    const left = await Promise.all(Array.from({ length: 5 }, () => killed(parent, `${MAKE}\nconsole.log(folder);${STAY}`)));
    for (const folder of left) writeFileSync(join(folder, 'x.sock'), '');
    const swept = (await Promise.all(Array.from({ length: 4 }, () => sweepLeftFolders(parent)))).flat();
    expect(swept.toSorted()).toEqual(left.toSorted());
    expect(readdirSync(parent)).toEqual([]);
  });

  it('of programs that live nothing is removed, nor what carries no proof', async () => {
    const parent = temporaryFolder();
    const mine = makeLeavable(parent);
    const { line } = await program(parent, `${MAKE}\nconsole.log(folder);${STAY}`);
    const [, pid, ticks, boot, place] = /mimas-(\w+)-(\w+)-(\w+)-(\w+)-\w+$/.exec(line)!;
    const others = ['mimas-AbCdEf', 'mimas-0', 'mimas-ports-0', `mimas-${pid}-${ticks}-${boot}-00000000-AbCdEf`, `mimas-${pid}-${ticks}-${boot}-AbCdEf`, `x-mimas-${pid}-1-${boot}-${place}-AbCdEf`];
    for (const name of others) mkdirSync(join(parent, name));
    expect(await sweepLeftFolders(parent)).toEqual([]);
    expect(readdirSync(parent)).toHaveLength(2 + others.length);
    // The pid has been given to somebody else since; or all of it was before a restart of the machine.
    const [reused, rebooted] = [`mimas-${pid}-1-${boot}-${place}-AbCdEf`, `mimas-${pid}-${ticks}-00000000-${place}-AbCdEf`].map((name) => join(parent, name));
    for (const folder of [reused!, rebooted!]) mkdirSync(folder);
    expect((await sweepLeftFolders(parent)).toSorted()).toEqual([reused, rebooted].toSorted());
    expect([existsSync(mine), existsSync(line)]).toEqual([true, true]);
  });

  it('links are not followed, neither in its place nor within; what has folders in it stays', async () => {
    const parent = temporaryFolder();
    const target = temporaryFolder();
    writeFileSync(join(target, 'precious'), 'kept');
    const name = (await killed(parent, `${MAKE}\nconsole.log(folder);${STAY}`));
    symlinkSync(target, `${name.slice(0, -6)}LiNkEd`);
    symlinkSync(target, join(name, 'folder'));
    symlinkSync(join(target, 'precious'), join(name, 'file'));
    const deep = `${name.slice(0, -6)}DeEpEr`;
    mkdirSync(join(deep, 'below'), { recursive: true });
    writeFileSync(join(deep, 'below/precious'), 'kept');
    expect(await sweepLeftFolders(parent)).toEqual([name]);
    expect([readFileSync(join(target, 'precious'), 'utf8'), readFileSync(join(deep, 'below/precious'), 'utf8'), readdirSync(parent).length]).toEqual(['kept', 'kept', 2]);
  });

  it.skipIf(process.getuid?.() !== 0)('of another user, or where others may rename, nothing is removed', async () => {
    const parent = temporaryFolder();
    const left = await killed(parent, `${MAKE}\nconsole.log(folder);${STAY}`);
    chownSync(left, STRANGER, STRANGER);
    expect(await sweepLeftFolders(parent)).toEqual([]);
    chownSync(left, 0, 0);
    chmodSync(parent, 0o777);
    expect(await sweepLeftFolders(parent)).toEqual([]);
    chmodSync(parent, 0o1777);
    expect(await sweepLeftFolders(parent)).toEqual([left]);
  });

  it('its name leaves room for the path of a socket', async () => {
    const server = createServer();
    const folder = makeLeavable(temporaryFolder());
    await new Promise<void>((resolve) => server.listen(join(folder, '0123456789.sock'), resolve));
    expect(folder.length - join(folder, '..').length).toBeLessThan(50);
    server.close();
  });
});

describe('a folder of this user alone', () => {
  it('is made with 0700, and refused when others own it, can enter it, or have put a link there', () => {
    const parent = temporaryFolder();
    const made = ownFolder(join(parent, 'a/b'), 'do this');
    expect(['a', 'a/b'].map((name) => (statSync(join(parent, name)).mode & 0o777).toString(8))).toEqual(['700', '700']);
    symlinkSync(made, join(parent, 'link'));
    mkdirSync(join(parent, 'open'));
    chmodSync(join(parent, 'open'), 0o710);
    for (const name of ['link', 'open']) expect(() => ownFolder(join(parent, name), 'do this')).toThrow(`${join(parent, name)} is not a folder of this user alone (mode 0700); do this`);
    if (process.getuid?.() !== 0) return;
    chownSync(made, STRANGER, STRANGER);
    expect(() => runtimeFolder({ MIMAS_RUNTIME_DIR: made })).toThrow(`${made} is not a folder of this user alone (mode 0700); set MIMAS_RUNTIME_DIR to one that is`);
  });
});
