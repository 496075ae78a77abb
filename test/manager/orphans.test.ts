// Children never outlive the program that started them, however it ends: idle, busy for ever, or with children of their own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { alive, fixture, gone, temporaryFile } from './helpers.js';

/** All of them are gone within this time of the end of their program, ms. */
const SOON = 1000;

const childrenOf = (parent: number): number[] =>
  readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) === parent;
    } catch {
      return false;
    }
  });

describe('the children of a program', () => {
  it.each<[string, string, NodeJS.Signals | undefined, RegExp | undefined]>([
    ['is killed with SIGKILL', 'wait', 'SIGKILL', undefined],
    ['is ended by SIGTERM', 'wait', 'SIGTERM', undefined],
    ['calls process.exit() without a shutdown', 'exit', undefined, undefined],
    ['dies of an error that nobody caught', 'throw', undefined, /Error: unexpected/],
  ])('that %s are gone within a second, and the guardian with them', async (_, how, signal, stderr) => {
    const program = spawn(process.execPath, [fileURLToPath(fixture('host.js')), how], { stdio: ['pipe', 'pipe', 'pipe'] });
    let text = '';
    program.stderr.on('data', (chunk) => (text += String(chunk)));
    const [line] = (await once(createInterface(program.stdout), 'line')) as [string];
    const pids = JSON.parse(line) as number[];
    expect(pids).toHaveLength(4);
    expect(pids.filter(alive)).toEqual(pids);
    const all = [...new Set([...pids, ...childrenOf(program.pid!)])];
    expect(all).toHaveLength(5);
    const exited = once(program, 'exit');
    if (signal) program.kill(signal);
    else program.stdin.write('now\n');
    const [code, endedBy] = await exited;
    if (signal) expect(endedBy).toBe(signal);
    else expect(code).toBe(how === 'exit' ? 0 : 1);
    await gone(all, SOON);
    expect(text).toMatch(stderr ?? /^$/);
  });

  it('run their shutdown hooks when it vanishes', async () => {
    const log = temporaryFile();
    const source = `import { createProcessManager } from 'mimas';
      const pm = createProcessManager({ isolation: 'child' });
      const hooked = await pm.spawn(${JSON.stringify(fileURLToPath(fixture('hooked.js')))}, { dependencies: { log: ${JSON.stringify(log)} } });
      console.log(hooked.$handle.pid);`;
    const program = spawn(process.execPath, ['--input-type=module', '-e', source], { cwd: fileURLToPath(new URL('../..', import.meta.url)), stdio: ['ignore', 'pipe', 'inherit'] });
    const [pid] = (await once(createInterface(program.stdout), 'line')) as [string];
    program.kill('SIGKILL');
    await once(program, 'exit');
    await gone([Number(pid)], SOON);
    expect(readFileSync(log, 'utf8')).toBe('first {"reason":"owner gone"}\nsecond {"reason":"owner gone"}\n');
  });
});
