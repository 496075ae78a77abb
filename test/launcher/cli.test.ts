// `mimas launch` and `mimas patterns`, as a user runs them.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { root } from '../helpers/compile.js';
import { addPattern, alive, HEALTH, nodeServer, temporaryFolder, until } from './helpers.js';

const bin = join(root, 'dist/cli/main.js');
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

const mimas = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8', timeout: 20_000, env: { ...process.env, NO_COLOR: '1' } });
  return { status, stdout, stderr };
};

async function launch(...args: string[]) {
  const dir = temporaryFolder();
  addPattern(dir, 'hello-pattern', { script: nodeServer(), health: HEALTH });
  addPattern(dir, 'dies', { script: '#!/bin/sh\nexit 7\n' });
  const child = spawn(process.execPath, [bin, 'launch', '--patterns-dir', dir, '--grpc-port', '0', '--metrics-port', '0', '--json', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const lines: Record<string, unknown>[] = [];
  createInterface({ input: child.stdout! }).on('line', (line) => lines.push(JSON.parse(line) as Record<string, unknown>));
  await until(() => lines.length > 0, 'the first line');
  const { grpcPort, metricsPort } = lines[0] as { grpcPort: number; metricsPort: number };
  const patterns = (...more: string[]) => mimas('patterns', ...more, '--address', `127.0.0.1:${grpcPort}`);
  return { child, lines, grpcPort, metricsPort, patterns };
}

describe('mimas launch and mimas patterns', () => {
  it('launch, list, status and stop; Ctrl+C ends all', async () => {
    const { child, lines, metricsPort, patterns } = await launch('--resync-interval', '5s', '--orphan-interval', '30s', '--max-concurrent-starts', '4', '--backoff-period', '100ms', '--isolation', 'namespace', '--state-dir', join(temporaryFolder(), 'state'));
    expect(Object.keys(lines[0]!)).toEqual(['grpcPort', 'metricsPort', 'token', 'tokenFile']);
    const launched = patterns('launch', 'hello-pattern', '--namespace', 'my-app');
    expect(launched).toMatchObject({ status: 0, stdout: expect.stringMatching(/^✓ Pattern launched successfully!\n {2}Process ID: ns:my-app:hello-pattern\n {2}Address: localhost:\d+\n {2}Healthy: true\n$/) });
    const status = JSON.parse(patterns('status', 'ns:my-app:hello-pattern', '--json').stdout) as { pid: number; state: string };
    expect(status.state).toBe('STATE_RUNNING');
    expect(patterns('list').stdout).toMatch(/^PROCESS +STATE +HEALTHY.*\nns:my-app:hello-pattern +RUNNING +true +\d+ +localhost:\d+/);
    expect(await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()).toContain('pattern_launcher_processes_total{state="running"} 1');
    expect(patterns('stop', 'ns:my-app:hello-pattern', '--grace', '5')).toEqual({ status: 0, stdout: 'ns:my-app:hello-pattern is stopped\n', stderr: '' });
    expect(alive(status.pid)).toBe(false);
    expect(patterns('status', 'ns:my-app:hello-pattern')).toMatchObject({ status: 1, stderr: 'mimas: process not found: ns:my-app:hello-pattern\n' });
    const again = JSON.parse(patterns('launch', 'hello-pattern', '--namespace', 'b', '--json').stdout) as { processId: string };
    const { pid } = JSON.parse(patterns('status', again.processId, '--json').stdout) as { pid: number };
    child.kill('SIGINT');
    const [code] = (await once(child, 'exit')) as [number];
    expect([code, alive(pid)]).toEqual([0, false]);
    expect(lines.some(({ event, line }) => event === 'log' && String(line).startsWith('Launched process: pattern=hello-pattern, pid='))).toBe(true);
  });

  it('errors have their messages and exit codes', async () => {
    const { patterns } = await launch('--token', 'open-sesame-please');
    expect(patterns('list')).toMatchObject({ status: 4, stderr: expect.stringContaining('the right token is needed') });
    const asked = (...args: string[]) => patterns(...args, '--token', 'open-sesame-please');
    expect(asked('list')).toEqual({ status: 0, stdout: '', stderr: 'no processes\n' });
    expect(asked('launch', 'nothing')).toMatchObject({ status: 1, stderr: 'mimas: pattern not found: nothing\n' });
    expect(asked('launch', 'dies', '--namespace', 'x')).toMatchObject({ status: 3, stderr: 'mimas: failed to launch process: process ns:x:dies died: exit code 7\n' });
    expect(asked('launch', 'hello-pattern', '--namespace', 'x', '--config', 'NOVALUE')).toMatchObject({ status: 2, stderr: expect.stringContaining('--config: "NOVALUE" is not name=value') });
    for (const grace of ['soon', '0', '1.5', '500ms']) expect(asked('stop', 'ns:x:p', '--grace', grace)).toMatchObject({ status: 2, stderr: expect.stringContaining('--grace') });
    expect(asked('stop', 'ns:x:p', '--grace', '2s')).toMatchObject({ status: 1, stderr: 'mimas: process not found: ns:x:p\n' });
    expect(asked('launch', 'hello-pattern', '--isolation', 'session', '--namespace', 'x', '--json')).toMatchObject({ status: 2, stderr: '{"error":{"code":"MISSING_SESSION_ID","message":"session_id is required for SESSION isolation"}}\n' });
  });

  it.each([
    [['--patterns-dir', '/no/such/dir'], 'patterns directory not found: /no/such/dir'],
    [['--grpc-port', 'x'], '--grpc-port must be a port from 0 to 65535, got x'],
    [['--resync-interval', '10ms'], 'resync interval must be at least 1 second, got 10ms'],
    [['--host', '0.0.0.0'], 'Give a token, or tls with a ca that callers must be signed by'],
  ])('launch %s is wrong usage', (args, message) => {
    const dir = temporaryFolder();
    addPattern(dir, 'p');
    expect(mimas('launch', '--patterns-dir', dir, '--metrics-port', '0', ...args)).toMatchObject({ status: 2, stderr: expect.stringContaining(message) });
  });

  it('nothing answers: exit code 4', () => {
    expect(mimas('patterns', 'list', '--address', '127.0.0.1:1').status).toBe(4);
  });

  it.each([['launch'], ['patterns'], ['patterns', 'launch'], ['patterns', 'stop']])('%s %s helps', (...args) => {
    expect(mimas(...args, '--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('Usage: mimas') });
  });

  it('an interval that makes no sense is refused by name', () => {
    const dir = temporaryFolder();
    addPattern(dir, 'p');
    expect(mimas('launch', '--patterns-dir', dir, '--orphan-interval', '10ms')).toMatchObject({ status: 2, stderr: expect.stringContaining('orphan interval must be at least 1 second, got 10ms') });
  });
});
