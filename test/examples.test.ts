// Runs every example as a user would, against dist/, and compares what it prints. Each must end by itself with exit code 0.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { root } from './helpers/compile.js';

const run = (name: string, args: string[] = [], flags: string[] = []) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', './dist/register.js', ...flags, `examples/${name}.ts`, ...args], { cwd: root, encoding: 'utf8', timeout: 60_000, env: { ...process.env, NO_COLOR: '1' } });
  return { status, stdout, stderr };
};
const prints = (lines: string[]) => ({ status: 0, stderr: '', stdout: `${lines.join('\n')}\n` });

const EXPECTED: Record<string, string[]> = {
  'quick-start': ['8', '1', '2', '3', 'true RangeError: cannot divide by zero'],
  streaming: ['sum of 1 to 1000: 500500', 'added up over there: 42', 'saw it reach 45'],
  callbacks: ['step 8', 'step 9', 'step 10', 'reached 10', 'changed to 42', 'listeners 1', 'listeners 0', 'value 43'],
  'cancel-and-timeout': ['cancelled: TimeoutError', 'timed out: true CALL_TIMEOUT', 'restarts: 0', 'stuck, killed, back in another thread: true'],
  errors: [
    'built in: true as you wished <- RangeError', 'stack shows both sides: true', 'several: TypeError, RangeError', 'not registered: true PaymentError CARD_DECLINED 12',
    'registered: true CARD_DECLINED 12', 'not public: true health', 'not cloneable: true args[0].db.handle',
  ],
  sidecar: ['[shop] somebody orders a kettle', '[shop] Ada orders a lamp'],
  transports: ['none  ', 'worker', 'child '].flatMap((isolation) => ['ipc ', 'unix', 'tcp ', 'ws  '].map((transport) => `${isolation} ${transport} 8 1,2,3 true`)),
  remote: ['served over tcp:', '5 + 3 = 8', '1', '2', 'without the token: true', 'the server left with 0'],
  'dependency-injection': ['Good day, Ada! (the clock works)'],
  'health-and-metrics': [
    "[ 'healthy', 'mood: pass' ]", 'event: flaky is degraded', 'degraded', 'requests 103 errors 1 echo 100', 'hang took about 200 ms: true',
    'it used a processor: true memory in MiB: true', "its output: [ 'a line that it printed' ]",
  ],
  pool: ['blurred 12 images of 256000 bytes', 'replicas 3 in as many threads: 3', 'scaled to 4', 'reloaded; calls so far 12 errors 0 health healthy'],
};

describe('examples', () => {
  it.each(Object.entries(EXPECTED))('%s prints what the README says', { timeout: 60_000 }, (name, lines) => {
    expect(run(name)).toEqual(prints(lines));
  });

  it('crash-and-restart survives crashes, gives up after too many, and comes back by hand', { timeout: 60_000 }, () => {
    const { status, stdout, stderr } = run('crash-and-restart');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    // The restart is heard of around the time at which the calls fail.
    const lines = stdout.trimEnd().split('\n');
    expect(lines.filter((line) => line.startsWith('restart '))).toEqual(['restart 1', 'restart 2']);
    expect(lines.filter((line) => !line.startsWith('restart '))).toEqual([
      'crash: true PROCESS_CRASHED maybeExecuted true exit code 1', 'stderr came along: true (flaky.process.ts)', 'the other call: PROCESS_CRASHED',
      'another process, the same proxy: true', 'given up: true', 'restarted by hand: running',
    ]);
  });

  it('testing passes under node --test', { timeout: 60_000 }, () => {
    const { status, stdout } = run('testing', [], ['--test']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/pass 2[\s\S]*fail 0/);
  });

  it('the tour holds what it says, loses no file, and leaves nothing behind, within 20 s', { timeout: 60_000 }, () => {
    const begin = performance.now();
    const { status, stdout, stderr } = run('tour');
    expect({ status, stderr }, stdout).toEqual({ status: 0, stderr: '' });
    expect(performance.now() - begin).toBeLessThan(20_000);
    expect(stdout).toMatch(/killed process \d+ with [1-9]\d* calls in flight/);
    expect(stdout).toMatch(/hashed +(\d+) of \1 files +0 lost/);
    expect(stdout).toMatch(/✓ the killed process was replaced/);
    expect(stdout).toMatch(/compared +\d+ files.*all alike/);
    expect(stdout).toMatch(/left running +nothing/);
    expect(stdout).not.toContain('✗');
    expect(stdout).toContain('Everything held.');
  });

  it('the tour takes another folder', { timeout: 60_000 }, () => {
    const { status, stdout } = run('tour', ['src/transport']);
    expect(status, stdout).toBe(0);
    expect(stdout).toContain('files under src/transport');
    expect(run('tour', ['nowhere']).status).toBe(2);
  });

  it('none is left out, here or beside the part that it shows', () => {
    const tests = readdirSync(`${root}/test`, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.test.ts')).map((name) => readFileSync(`${root}/test/${name}`, 'utf8')).join('\n');
    const files = readdirSync(`${root}/examples`).filter((name) => name.endsWith('.ts') && name !== 'tour-output.ts').map((name) => name.slice(0, -3));
    expect(files.filter((name) => !(name in EXPECTED) && !tests.includes(`run('${name}`) && !tests.includes(`examples/${name}.ts`))).toEqual([]);
  });
});
