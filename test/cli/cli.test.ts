// The real `mimas` command: what it prints where, its exit codes, and how it leaves.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { killStarted, runCommand, startCommand } from '../helpers/command.js';
import { root } from '../helpers/compile.js';
import { temporaryFolder } from '../helpers/temporary.js';

const env = { ...process.env, NO_COLOR: '1' };
const folder = temporaryFolder('mimas-cli-');
const calculator = 'processes/calculator.process.ts';
const flaky = 'processes/flaky.process.ts';

afterEach(killStarted);

const mimas = (...args: string[]) => runCommand(args, { cwd: root, env });

function start(...args: string[]) {
  const command = startCommand(args, { cwd: root, env });
  return {
    ...command,
    /** The first JSON line of that event. */
    event: (name: string) => command.until(() => command.lines.map((line) => JSON.parse(line) as Record<string, unknown>).find(({ event }) => event === name)),
  };
}

async function served(...args: string[]) {
  const server = start('serve', calculator, '--json', ...args);
  const hello = (await server.event('listening')) as { address: string; token: string };
  return { server, ...hello };
}

describe('mimas', () => {
  it('tells its version', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(mimas('--version')).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
  });

  it.each([[['--help']], [['run', '--help']], [['serve', '--help']], [['call', '--help']]])('helps with examples: %s', (args) => {
    const { status, stdout } = mimas(...args);
    expect(status).toBe(0);
    expect(stdout).toMatch(/Examples:\n +\$ mimas /);
  });

  it.each([
    [['patterns', 'launch'], /mimas patterns launch --help tells more/],
    [['patterns', 'list', '--address', '127.0.0.1:1'], /no launcher answers at 127\.0\.0\.1:1/],
  ])('says what helps: %s', (args, message) => expect(mimas(...args).stderr).toMatch(message));

  it('ends quietly when nobody reads on', async () => {
    const { address, token } = await served();
    const shell = (line: string) => spawnSync('bash', ['-c', `${line}; echo \${PIPESTATUS[0]}`], { cwd: root, encoding: 'utf8', timeout: 20_000, env: { ...env, MIMAS_TOKEN: token } });
    const call = shell(`node dist/cli/main.js call ${address} countTo 1000000 | head -1`);
    expect([call.stdout, call.stderr]).toEqual(['1\n0\n', '']);
    const schema = shell('node dist/cli/main.js validate --schema | true');
    expect([schema.stdout, schema.stderr]).toEqual(['0\n', '']);
  });

  it('stops what it runs in order when nobody reads on', { timeout: 20_000 }, async () => {
    const server = start('serve', calculator, '--json');
    await server.event('listening');
    server.child.stdout.destroy();
    server.child.stderr.destroy();
    const exited = once(server.child, 'exit');
    server.signal('SIGTERM');
    expect(await exited).toEqual([0, null]);
  });

  it.each([
    [['launch-rockets'], /unknown command/],
    [['run'], /missing required argument 'file'/],
    [['run', calculator, '--turbo'], /unknown option '--turbo'/],
    [['run', calculator, '--isolation', 'moon'], /worker, child/],
    [['run', calculator, '--max-memory', 'plenty'], /resources.maxMemory/],
    [['run', calculator, '--max-restarts', 'x'], /maxRestarts/],
    [['serve', calculator, '--listen', 'carrier-pigeon'], /not an address/],
    [['serve', calculator, '--token', 'short'], /16 characters/],
    [['serve', calculator, '--token-file', '/nowhere/token'], /cannot read \/nowhere\/token/],
    [['serve', calculator, '--listen', 'tcp://0.0.0.0:0'], /other machines.*token of your own/],
    [['serve', calculator, '--listen', 'tls://127.0.0.1:0'], /key and a cert/],
    [['serve', calculator, '--tls-cert', 'package.json'], /write tls:\/\/ or wss:\/\//],
    [['call', 'tcp://127.0.0.1', 'add'], /not an address/],
  ])('refuses wrong usage with exit code 2: %s', (args, message) => {
    const { status, stdout, stderr } = mimas(...args);
    expect(stderr).toMatch(message);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  });
});

describe('mimas serve and call', () => {
  it('serves with a token of its own, answers calls, and leaves gracefully on SIGTERM', async () => {
    const { server, address, token } = await served();
    expect(mimas('call', address, 'add', '5', '3', '--token', token)).toEqual({ status: 0, stdout: '8\n', stderr: '' });
    expect(mimas('call', address, 'countTo', '3', '--token', token)).toEqual({ status: 0, stdout: '1\n2\n3\n', stderr: '' });
    expect(mimas('call', address, 'add', '"a"', 'b', '--token', token, '--json').stdout).toBe('"ab"\n');
    expect(mimas('call', address, 'add', '--token', token, '--', '-5', '3').stdout).toBe('-2\n');
    server.child.kill('SIGTERM');
    expect(await server.exit()).toBe(0);
  });

  it('says with exit codes what went wrong', async () => {
    const { address, token } = await served('--isolation', 'child');
    const endless = mimas('call', address, 'countTo', '1000000000', '--timeout', '300ms', '--token', token);
    expect(endless.status).toBe(1);
    expect(endless.stderr).toMatch(/countTo\(\): its stream did not end within 300ms/);
    const thrown = mimas('call', address, 'divide', '1', '0', '--token', token);
    expect(thrown).toEqual({ status: 1, stdout: '', stderr: 'mimas: RangeError: cannot divide by zero\n' });
    const typo = mimas('call', address, 'ad', '--token', token, '--json');
    expect(typo.status).toBe(1);
    expect(JSON.parse(typo.stderr)).toMatchObject({ error: { code: 'METHOD_NOT_FOUND', suggestion: 'add' } });
    expect(mimas('call', address, 'add', '1', '2', '--token', 'a wrong token, but long').status).toBe(4);
    expect(mimas('call', address, 'add', '1', '2').status).toBe(4);
    expect(mimas('call', 'tcp://127.0.0.1:1', 'add', '1', '2', '--token', token)).toMatchObject({ status: 4, stderr: expect.stringMatching(/cannot connect/) as string });
  });

  it.each(['unix', 'ws'])('serves over %s with the token of a file', async (kind) => {
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, 'correct horse battery staple\n');
    const listen = kind === 'unix' ? `unix:${join(folder, 'calculator.sock')}` : 'ws://127.0.0.1:0/calculator';
    const { server, address, token } = await served('--listen', listen, '--token-file', tokenFile);
    expect(token).toBeUndefined();
    expect(mimas('call', address, 'add', '5', '3', '--token-file', tokenFile).stdout).toBe('8\n');
    server.child.kill('SIGINT');
    expect(await server.exit()).toBe(0);
  });

  it('prints address and token for people, and the process prints to stderr', async () => {
    const server = start('serve', flaky, '--isolation', 'child');
    await server.line(/^token /);
    const [, address] = /^flaky 1\.0\.0 is served at (tcp:\/\/127\.0\.0\.1:\d+)$/.exec(server.lines[0]!)!;
    const [, token] = /^token (\S{32})$/.exec(server.lines[1]!)!;
    expect(mimas('call', address!, 'print', 'hello from inside', '--token', token!).status).toBe(0);
    await server.stderr(/^flaky \| hello from inside$/m);
    expect(server.lines).toHaveLength(2);
  });

  it('listens at the same address again after a crash', async () => {
    const server = start('serve', flaky, '--json');
    const { address, token } = (await server.event('listening')) as { address: string; token: string };
    const crash = mimas('call', address, 'crash', '--token', token);
    expect(crash.status).toBe(1);
    await server.event('restarted');
    expect(mimas('call', address, 'echo', '{"a":[1]}', '--token', token, '--json').stdout).toBe('{"a":[1]}\n');
  });
});

describe('mimas run', () => {
  it('keeps a process running, prefixes its lines, and stops it on SIGINT', async () => {
    const file = join(folder, 'ticker.process.mjs');
    writeFileSync(file, `import { Process, OnShutdown } from ${JSON.stringify(join(root, 'dist/index.js'))};
      class Ticker { init() { console.log('tick'); console.error('tock'); } close({ reason }) { console.log('closing: ' + reason); } }
      OnShutdown()(Ticker.prototype, 'close', Object.getOwnPropertyDescriptor(Ticker.prototype, 'close'));
      Process({ name: 'ticker' })(Ticker);
      export default Ticker;`);
    const run = start('run', file, '--isolation', 'child');
    await run.stderr(/ticker runs/);
    run.child.kill('SIGINT');
    expect(await run.exit()).toBe(0);
    expect(run.lines).toEqual(['ticker | tick', 'ticker | closing: signal']);
    expect(run.err()).toContain('ticker | tock\n');
  });

  it('restarts what crashes, and gives up with exit code 5', async () => {
    const file = join(folder, 'doomed.process.mjs');
    writeFileSync(file, `import { Process } from ${JSON.stringify(join(root, 'dist/index.js'))};
      class Doomed { init() { setTimeout(() => { throw new Error('doom'); }, 50); } }
      Process({ name: 'doomed' })(Doomed);
      export default Doomed;`);
    const run = start('run', file, '--json', '--max-restarts', '1');
    expect(await run.event('ready')).toMatchObject({ name: 'doomed', isolation: 'worker' });
    expect(await run.event('restart')).toMatchObject({ attempt: 1 });
    expect(await run.exit()).toBe(5);
    expect(run.lines.filter((line) => line.includes('"event":"crash"'))).toHaveLength(2);
  });

  it('ends with 0 when a transient process ends by itself', async () => {
    const file = join(folder, 'task.process.mjs');
    writeFileSync(file, `import { Process } from ${JSON.stringify(join(root, 'dist/index.js'))};
      class Task { init() { setTimeout(() => process.exit(0), 50); } }
      Process({ name: 'task' })(Task);
      export default Task;`);
    expect(mimas('run', file, '--restart', 'transient', '--isolation', 'child').status).toBe(0);
  });

  it('says why a process could not start, with exit code 3', () => {
    expect(mimas('run', 'processes/calculater.process.ts')).toMatchObject({ status: 3, stderr: expect.stringMatching(/did you mean calculator\.process\.ts/) as string });
    const { status, stderr } = mimas('run', 'src/units.ts', '--json');
    expect(status).toBe(3);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'PROCESS_START_FAILED', phase: 'load' } });
  });
});
