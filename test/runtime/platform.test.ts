// What Windows does not have is refused by name. (A program that is told it runs there stands in for it: nothing is started.)
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { subjectFile } from '../manager/helpers.js';

const mimas = JSON.stringify(import.meta.resolve('mimas'));
const launcher = JSON.stringify(import.meta.resolve('mimas/launcher'));
const pipeline = JSON.stringify(new URL('../../dist/pipeline/runtime-folder.js', import.meta.url).href);

it('unix sockets, the launcher and pipelines on Windows: an error that names what was asked for, and what works there', () => {
  const code = `
    Object.defineProperty(process, 'platform', { value: 'win32' });
    const { createProcessManager } = await import(${mimas});
    const { createLauncher } = await import(${launcher});
    const { socketOf } = await import(${pipeline});
    const pm = createProcessManager();
    const told = [];
    for (const ask of [
      () => pm.spawn(${JSON.stringify(subjectFile.href)}, { transport: 'unix' }),
      () => pm.connect('unix:/run/x.sock', { token: 't' }),
      () => createLauncher(),
      async () => socketOf('x', '/run'),
    ]) told.push(await ask().then(() => 'it worked', ({ code, option, message }) => [code, option, message]));
    console.log(JSON.stringify(told));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual([
    ['UNSUPPORTED_OPTION', 'transport', expect.stringMatching(/^transport does not work on Windows: Node has no unix sockets there; use 'ipc'/)],
    ['UNSUPPORTED_OPTION', 'address', expect.stringMatching(/no unix sockets on Windows; use tcp or ws$/)],
    ['UNSUPPORTED_OPTION', 'createLauncher', expect.stringMatching(/does not work on Windows: .*process groups.*WSL/)],
    ['UNSUPPORTED_OPTION', 'a pipeline', expect.stringMatching(/does not work on Windows: .*WSL/)],
  ]);
});
