// What others see of the `mimas` command: not its tokens. Neither in the list of processes, nor in what it starts.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { addPattern } from '../launcher/helpers.js';
import { killStarted, runCommand, startCommand } from '../helpers/command.js';
import { root } from '../helpers/compile.js';
import { temporaryFolder } from '../helpers/temporary.js';

const TOKEN = 'a-token-that-nobody-else-may-see';
const folder = temporaryFolder('mimas-secrets-');
const env = { ...process.env, NO_COLOR: '1' };
const teller = join(folder, 'teller.process.mjs');
// It prints what it knows as it starts, and answers with it.
writeFileSync(teller, `import { execFileSync } from 'node:child_process';
import { Process, Public } from '${join(root, 'dist/index.js')}';
const known = () => JSON.stringify([process.env, process.argv, process.execArgv, execFileSync('env', { encoding: 'utf8' })]);
console.log('knows ' + known());
export default class Teller { known() { return known(); } }
Public()(Teller.prototype, 'known', Object.getOwnPropertyDescriptor(Teller.prototype, 'known'));
Process({ name: 'teller' })(Teller);
`);

afterEach(killStarted);

/** All command lines below `pid`, itself included. */
function commandLines(pid: number): string[] {
  const parents = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      return [{ pid: Number(name), parent: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]), line: readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() }];
    } catch {
      return [];
    }
  });
  const below = (of: number): string[] => parents.filter(({ parent }) => parent === of).flatMap((child) => [child.line, ...below(child.pid)]);
  return [...parents.filter((one) => one.pid === pid).map(({ line }) => line), ...below(pid)];
}

describe('the list of processes', () => {
  it.each([['--token', TOKEN], [`--token=${TOKEN}`]])('does not show what serve was given with %s', async (...args) => {
    const server = startCommand(['serve', 'processes/calculator.process.ts', '--isolation', 'child', '--json', ...args], { cwd: root, env });
    await server.line(/"listening"/);
    const lines = commandLines(server.child.pid!);
    expect(lines[0]).toMatch(/^mimas serve processes\/calculator\.process\.ts --isolation child --json --token[ =]\*\*\*$/);
    expect(lines.some((line) => line.includes('calculator'))).toBe(true);
    expect(lines.filter((line) => line.includes(TOKEN))).toEqual([]);
  });

  it('nor what launch, call and patterns were given', async () => {
    addPattern(join(folder, 'patterns'), 'p');
    const launch = startCommand(['launch', '--patterns-dir', join(folder, 'patterns'), '--grpc-port', '0', '--metrics-port', '0', '--json', '--token', TOKEN], { cwd: folder, env });
    const { grpcPort } = JSON.parse(await launch.line(/grpcPort/)) as { grpcPort: number };
    expect(commandLines(launch.child.pid!).filter((line) => line.includes(TOKEN))).toEqual([]);
    expect(commandLines(launch.child.pid!)[0]).toContain('--token ***');
    const started = runCommand(['patterns', 'launch', 'p', '--namespace', 'x', '--address', `127.0.0.1:${grpcPort}`, '--token', TOKEN], { cwd: folder, env });
    expect(started.status).toBe(0);
    const served = startCommand(['serve', 'processes/calculator.process.ts', '--json', '--token', TOKEN], { cwd: root, env });
    const { address } = JSON.parse(await served.line(/"listening"/)) as { address: string };
    const call = startCommand(['call', address, 'countTo', '1000000000', '--token', TOKEN], { cwd: root, env });
    await call.line('1');
    expect(commandLines(call.child.pid!)).toEqual([`mimas call ${address} countTo 1000000000 --token ***`]);
  });

  it('help says what is better', () => {
    for (const command of [['serve'], ['launch'], ['call'], ['patterns', 'launch']]) expect(runCommand([...command, '--help'], { cwd: root, env }).stdout.replace(/\s+/g, ' '), command.join(' ')).toContain('better in a file or in MIMAS_TOKEN: it is taken out of the list of processes only once the program runs, and shells remember it');
  });
});

describe('MIMAS_TOKEN', () => {
  const secret = { ...env, MIMAS_TOKEN: TOKEN };

  it.each(['worker', 'child'])('lets callers in and does not reach the served process, nor what that starts (%s)', async (isolation) => {
    const server = startCommand(['serve', teller, '--isolation', isolation, '--json'], { cwd: root, env: secret });
    const { address, token } = JSON.parse(await server.line(/"listening"/)) as { address: string; token?: string };
    expect(token).toBeUndefined();
    const known = runCommand(['call', address, 'known'], { cwd: root, env: secret });
    expect([known.status, known.stdout.includes('PATH='), known.stdout.includes(TOKEN)]).toEqual([0, true, false]);
    expect(server.err()).toContain('knows ');
    expect(server.err()).not.toContain(TOKEN);
  });

  it.each(['worker', 'child'])('does not reach a process that mimas run runs (%s)', async (isolation) => {
    const run = startCommand(['run', teller, '--isolation', isolation], { cwd: root, env: secret });
    const known = await run.line(/\| knows /);
    expect([known.includes('PATH='), known.includes(TOKEN)]).toEqual([true, false]);
  });

  it('does not reach the components of a pipeline, each of which has a token of its own; one that a file names is passed on', async () => {
    const file = join(folder, 'pipeline.yaml');
    const shell = (id: string, more: object = {}) => ({ id, command: 'env; echo end; exec sleep 60', health_check: { log: '^end$' }, ...more });
    writeFileSync(file, JSON.stringify({ apiVersion: 'mimas/v1', kind: 'Pipeline', metadata: { name: 'secrets' }, spec: { sources: [shell('plain', { replicas: 2 }), shell('asks', { env: { GIVEN: '${MIMAS_TOKEN}' } }), { id: 'file', process: './teller.process.mjs' }] } }));
    const run = startCommand(['run', file, '--plain', '--control-plane-port', '0'], { cwd: folder, env: { ...secret, MIMAS_RUNTIME_DIR: temporaryFolder('mimas-run-') } });
    await run.line('Pipeline started successfully');
    run.signal('SIGINT');
    // All is in the logs then.
    expect(await run.exit()).toBe(0);
    const log = (id: string) => readFileSync(join(folder, 'logs', `${id}.log`), 'utf8');
    const own = ['plain', 'plain-2', 'asks'].map((id) => /^FLOWCTL_TOKEN=(\S+)\.[\w-]{43}$/m.exec(log(id))?.[1]);
    expect(own).toEqual(['plain', 'plain-2', 'asks']);
    expect(log('file')).toMatch(/"FLOWCTL_TOKEN":"file\.[\w-]{43}"/);
    expect(['plain', 'plain-2', 'file'].filter((id) => log(id).includes(TOKEN))).toEqual([]);
    expect(log('asks')).toContain(`GIVEN=${TOKEN}\n`);
    expect(log('asks')).not.toContain('MIMAS_TOKEN=');
  });
});
