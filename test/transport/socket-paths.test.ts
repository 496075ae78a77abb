// Paths that no unix socket can have, and folders that are not there: refused by name, with nothing made.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createProcessManager, InvalidOptionError } from 'mimas';
import { LONGEST_SOCKET, parseAddress } from '../../src/transport/address.js';
import { connect, listen } from '../../src/transport/index.js';
import { runCommand } from '../helpers/command.js';
import { root } from '../helpers/compile.js';
import { temporaryFolder } from '../helpers/temporary.js';
import { rejection, subjectFile } from '../manager/helpers.js';

const folder = temporaryFolder();
/** A path of so many bytes. */
const pathOf = (bytes: number) => `${folder}/${'é'.repeat(Math.floor((bytes - folder.length - 1) / 2))}${'x'.repeat((bytes - folder.length - 1) % 2)}`;
const tooLong = { code: 'INVALID_OPTION', option: 'address', message: expect.stringMatching(new RegExp(`is too long for a socket \\(at most ${LONGEST_SOCKET} bytes\\)`)) as unknown };

it('the longest path works, one more byte is refused wherever it is named', async () => {
  const listener = await listen({ kind: 'unix', path: pathOf(LONGEST_SOCKET) }, { token: 't' }, () => {});
  const link = await connect({ kind: 'unix', path: pathOf(LONGEST_SOCKET) }, { token: 't' });
  link.close();
  await listener.close();
  const path = pathOf(LONGEST_SOCKET + 1);
  const before = readdirSync(folder);
  expect(await rejection(listen({ kind: 'unix', path }, { token: 't' }, () => {}))).toMatchObject(tooLong);
  expect(await rejection(connect({ kind: 'unix', path }, { token: 't' }))).toMatchObject(tooLong);
  expect(() => parseAddress(`unix:${path}`)).toThrow(InvalidOptionError);
  expect(await rejection(createProcessManager().connect(`unix:${path}`, { token: 't' }))).toMatchObject(tooLong);
  for (const args of [['serve', 'processes/calculator.process.ts', '--listen', `unix:${path}`], ['call', `unix:${path}`, 'add', '1', '2']]) {
    const { status, stderr } = runCommand(args, { cwd: root, env: { ...process.env, MIMAS_TOKEN: 't' } });
    expect(status).not.toBe(0);
    expect(stderr).toContain('is too long for a socket');
  }
  expect(readdirSync(folder)).toEqual(before);
});

describe('transport unix', () => {
  const spawnIn = (tmpdir: string) => {
    const code = `import { createProcessManager, MimasError } from ${JSON.stringify(import.meta.resolve('mimas'))};
      const pm = createProcessManager({ transport: 'unix' });
      const told = await pm.spawn(${JSON.stringify(subjectFile.href)}).then(() => 'up', (error) => ({ ours: error instanceof MimasError, code: error.code, option: error.option, message: error.message }));
      await pm.shutdown();
      console.log(JSON.stringify(told));`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8', env: { ...process.env, TMPDIR: tmpdir } });
    expect(stderr).toBe('');
    return JSON.parse(stdout) as unknown;
  };

  it('with a temporary folder whose name is too long is refused, and the folder stays empty', () => {
    const long = join(folder, 'l'.repeat(LONGEST_SOCKET - folder.length - 30));
    mkdirSync(long);
    expect(spawnIn(long)).toMatchObject({ ours: true, code: 'INVALID_OPTION', option: 'TMPDIR', message: expect.stringMatching(/is too long for a socket .*set TMPDIR to a shorter one$/) as unknown });
    expect(readdirSync(long)).toEqual([]);
  });

  it('with a temporary folder that is not there is refused by name', () => {
    expect(spawnIn(join(folder, 'nowhere'))).toMatchObject({ ours: true, code: 'INVALID_OPTION', option: 'TMPDIR', message: expect.stringMatching(/nowhere.*set TMPDIR to one where it can$/) as unknown });
  });
});
