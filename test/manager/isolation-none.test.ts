// Isolation `none` ends as the others do: a kill leaves no server and no socket, and a call with a time limit holds the program until it
// settles. Each case is a program of its own, which has to end by itself.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../helpers/compile.js';
import { temporaryFolder } from '../helpers/temporary.js';

const TRANSPORTS = ['ipc', 'unix', 'tcp', 'ws'];
const folder = temporaryFolder();
const FILE = join(root, 'test/fixtures/processes/contract.process.ts');
const DIST = join(root, 'dist/index.js');

async function ends(transport: string, code: string, inThread = false): Promise<unknown> {
  const program = `import { createProcessManager } from ${JSON.stringify(DIST)};
import { connect } from 'node:net';
const pm = createProcessManager({ isolation: 'none', transport: ${JSON.stringify(transport)}, gracePeriod: 1_000 });
const say = (value) => console.log(JSON.stringify(value));
const FILE = ${JSON.stringify(FILE)};
const codeOf = (call) => call.then(() => 'answered', (error) => error.code);
const open = () => process._getActiveHandles().filter((handle) => /^(Socket|Server)$/.test(handle.constructor.name) && !handle._isStdio && handle.fd !== 0 && (handle.listening ?? !handle.destroyed)).length;
${code}`;
  const file = join(folder, `program-${Math.random()}.mjs`);
  writeFileSync(file, program);
  const args = inThread ? ['--input-type=module', '-e', `import { Worker } from 'node:worker_threads'; new Worker(${JSON.stringify(file)}, { execArgv: [] }).on('exit', (code) => (process.exitCode = code));`] : [file];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000, env: { ...process.env, TMPDIR: folder } });
  const [printed, complaint, [status, signal]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  expect({ status: status as number | null, signal: signal as string | null, complaint }).toEqual({ status: 0, signal: null, complaint: '' });
  return JSON.parse(printed);
}

describe.each(TRANSPORTS)('over %s', (transport) => {
  it.each([
    ['kill', 'await pm.kill(calc);'],
    ['kill, restart, kill', 'await pm.kill(calc); await pm.restart(calc); await calc.add(1, 1); await pm.kill(calc);'],
    ['a shutdown without time', 'await pm.shutdown({ timeout: 0 });'],
    ['a stop', 'await pm.stop(calc);'],
  ])('%s leaves nothing open, and the program ends', async (_, how) => {
    const said = await ends(transport, `const calc = await pm.spawn(FILE);
await calc.add(1, 2);
const before = open();
const pending = codeOf(calc.untilAborted());
await calc.logged('waiting');
${how}
say({ before, after: open(), pending: await pending });
await pm.shutdown();`);
    expect(said).toEqual({ before: transport === 'ipc' ? 0 : 3, after: 0, pending: 'PROCESS_STOPPED' });
    expect(readdirSync(folder).filter((name) => name.startsWith('mimas-'))).toEqual([]);
  });

  it('a start that fails leaves nothing open', async () => {
    const said = await ends(transport, `say([await codeOf(pm.spawn(FILE, { startupTimeout: 1 })), open()]);
await pm.shutdown();`);
    expect(said).toEqual(['PROCESS_START_FAILED', 0]);
  });

  it.each([[false, 'a program'], [true, 'a program in a thread']])('a call with a timeout holds the program: %s, %s', async (inThread) => {
    expect(await ends(transport, `const calc = await pm.spawn(FILE);
say(await codeOf(calc.$with({ timeout: 300 }).untilAborted()));
await pm.shutdown();`, inThread)).toBe('CALL_TIMEOUT');
  });
});

it.each([
  ['a timeout of all calls', "{ resources: { timeout: 300 } }", 'calc.untilAborted()', 'CALL_TIMEOUT'],
  ["a method's own timeout", '{}', 'calc.slowByDefault()', 'CALL_TIMEOUT'],
  ['the first of several', '{}', 'Promise.race([calc.$with({ timeout: 60_000 }).untilAborted(), calc.$with({ timeout: 300 }).untilAborted()])', 'CALL_TIMEOUT'],
])('%s holds the program', async (_, options, call, code) => {
  expect(await ends('ipc', `const calc = await pm.spawn(FILE, ${options});
say(await codeOf(${call}));
await pm.shutdown();`)).toBe(code);
});

it('a queueTimeout of a pool holds the program', async () => {
  expect(await ends('ipc', `const pool = await pm.pool(FILE, { size: 1, concurrency: 1, queueTimeout: 300 });
void pool.untilAborted().catch(() => {});
say(await codeOf(pool.add(1, 1)));
await pm.shutdown({ timeout: 0 });`)).toBe('QUEUE_TIMEOUT');
});

it('calls that have settled hold nothing', async () => {
  const began = performance.now();
  expect(await ends('ipc', `const calc = await pm.spawn(FILE);
await calc.$with({ timeout: '1h' }).add(1, 1);
// It settles while nothing but the first one's timer holds the program.
const long = calc.$with({ timeout: '1h' }).untilAborted();
const short = codeOf(calc.$with({ timeout: 300 }).untilAborted());
short.then(() => pm.kill(calc));
say([await codeOf(long), await short]);`)).toEqual(['PROCESS_STOPPED', 'CALL_TIMEOUT']);
  expect(performance.now() - began).toBeLessThan(60_000);
});
