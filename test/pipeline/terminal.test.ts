// `mimas run pipeline.yaml` at a real terminal (a pty of script(1)): the live table, Ctrl+C, colours; and without one.
/* oxlint-disable no-control-regex */
// Where script(1) is missing the tests that need a terminal are skipped, and say so.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { alive, bin, eventually, makeProject, plain } from './helpers.js';

const available = spawnSync('script', ['--version']).status === 0;
if (!available) console.warn('\n*** SKIPPED: no script(1), which the tests at a terminal need (bsdutils of Debian). ***\n');
const CTRL_C = '\u0003';
const ESC = '\u001B';

/** The command at a terminal of so many columns. */
function atTerminal(project: ReturnType<typeof makeProject>, columns: number, env: Record<string, string | undefined> = {}) {
  const command = `stty cols ${columns} rows 24; exec "${process.execPath}" "${bin}" run pipeline.yaml --no-control-plane`;
  const child = spawn('script', ['-qefc', command, '/dev/null'], { cwd: project.folder, env: { ...project.env, NO_COLOR: undefined, TERM: 'xterm', ...env } as NodeJS.ProcessEnv });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { out: () => out, exited, type: (text: string) => child.stdin.write(text), until: (pattern: RegExp) => eventually(() => pattern.test(out)) };
}

describe.skipIf(!available)('at a terminal', () => {
  it('a table of states stays below the output, in colours and within the columns; Ctrl+C stops in order', async () => {
    const project = makeProject();
    project.write({ sources: [plain('running-on', { env: { SAY: 'hello' } })], sinks: [plain('sink', { inputs: ['running-on'] })] });
    const terminal = atTerminal(project, 60);
    expect(await terminal.until(/Pipeline started successfully/)).toBe(true);
    expect(await terminal.until(/NAME +KIND +STATE[^\r]*\r\n[\s\S]*sink +sink +\S*running\S* +\d+ +\d+\.\d% +\d/)).toBe(true);
    expect(terminal.out()).toContain(`${ESC}[36mrunning-on |${ESC}[0m hello`);
    // The state is painted, not the name that begins like it.
    expect(terminal.out()).toMatch(/^running-on +source +\u001B\[32mrunning\u001B\[0m/m);
    const rows = terminal.out().split(/\r?\n/).map((row) => row.replace(/\u001B\[[\d;]*[A-Za-z]/g, '').replaceAll('\r', ''));
    expect(Math.max(...rows.filter((row) => row.includes('NAME') || row.includes('source ')).map((row) => row.length))).toBeLessThanOrEqual(60);
    terminal.type(CTRL_C);
    expect(await terminal.exited).toBe(0);
    // From the first column on, whatever the terminal had echoed.
    expect(terminal.out()).toMatch(/\r\u001B\[\d+A\u001B\[JReceived shutdown signal\r\n/);
    const stops = [...terminal.out().matchAll(/Stopping component: (\S+)/g)].map((match) => match[1]);
    expect(stops).toEqual(['sink', 'running-on']);
    // At the end the table is gone: an empty row, the names of the columns, two components.
    expect(terminal.out()).toMatch(/Pipeline stopped successfully\r\n[\s\S]*\u001B\[4A\u001B\[J$/);
    expect(project.pids().filter(alive)).toEqual([]);
  });

  it('a second Ctrl+C kills who does not listen to the first', async () => {
    const project = makeProject();
    project.write({ sources: [plain('deaf', { env: { ON_TERM: 'ignore' } })] });
    const terminal = atTerminal(project, 100);
    expect(await terminal.until(/Pipeline started successfully/)).toBe(true);
    await project.until((happened) => happened.includes('start deaf'));
    terminal.type(CTRL_C);
    await project.until((happened) => happened.includes('term deaf'));
    terminal.type(CTRL_C);
    expect(await terminal.exited).toBe(130);
    expect(project.pids().filter(alive)).toEqual([]);
  });

  it('a component that hides the cursor or turns all text red hides and turns nothing; the cursor is there at the end', async () => {
    const project = makeProject();
    project.write({ sources: [{ id: 'rude', command: ['printf', '\\033[?25l\\033[2J\\033[31mred\\n'] }] });
    const terminal = atTerminal(project, 100);
    expect(await terminal.exited).toBe(0);
    expect(terminal.out()).toContain(`${ESC}[31mred${ESC}[0m\r\n`);
    expect(terminal.out()).not.toMatch(/\u001B\[(?:\?25l|2J)/);
    expect(terminal.out()).toContain(`${ESC}[?25h`);
  });

  it('NO_COLOR takes the colours away, a dumb terminal the table', async () => {
    const project = makeProject();
    project.write({ sources: [{ id: 'job', command: ['sh', '-c', 'echo done; sleep 0.5'] }] });
    const grey = atTerminal(project, 100, { NO_COLOR: '1' });
    expect(await grey.exited).toBe(0);
    expect(grey.out()).toContain('job | done');
    expect(grey.out()).toMatch(/job +source +running/);
    expect(grey.out()).not.toMatch(/\u001B\[\d*m/);
    const dumb = atTerminal(project, 100, { TERM: 'dumb' });
    expect(await dumb.exited).toBe(0);
    expect(dumb.out()).not.toContain('NAME');
  });
});

it('when nobody reads the output any more, the pipeline is stopped in order', async () => {
  const project = makeProject();
  project.write({ sources: [plain('a'), { id: 'talks', command: ['sh', '-c', 'while :; do echo again; sleep 0.05; done'] }] });
  const run = project.start('run', 'pipeline.yaml', '--no-control-plane');
  await run.line('Pipeline started successfully');
  await project.until((happened) => happened.includes('start a'));
  const exited = once(run.child, 'exit');
  run.child.stdout.destroy();
  expect(await exited).toEqual([0, null]);
  expect(project.happened()).toContain('exit a');
  expect(project.pids().filter(alive)).toEqual([]);
});

it('-d that is interrupted before the pipeline is up ends it', async () => {
  const project = makeProject();
  project.write({ sources: [plain('late', { health_check: { log: 'never' } })] });
  const run = project.start('run', 'pipeline.yaml', '--no-control-plane', '-d');
  await project.until((happened) => happened.includes('start late'));
  run.signal('SIGINT');
  expect(await run.exit()).toBe(130);
  expect(project.pids().filter(alive)).toEqual([]);
  expect(project.mimas('ps').stderr).toBe('no pipeline runs here\n');
});

it('-d goes on when its starter is killed; its own log has no lines of components, which have logs of their own', async () => {
  const project = makeProject();
  project.write({ sources: [plain('late', { health_check: { exec: ['test', '-e', 'go'] }, env: { SAY: 'a line of mine' } })] });
  const starter = project.start('run', 'pipeline.yaml', '--no-control-plane', '-d');
  await project.until((happened) => happened.includes('start late'));
  starter.signal('SIGKILL');
  await starter.exit();
  spawnSync('touch', ['go'], { cwd: project.folder });
  expect(await eventually(() => project.mimas('ps').stdout.includes('started'))).toBe(true);
  expect(project.mimas('down').status).toBe(0);
  expect(project.log('late')).toBe('a line of mine\n');
  expect(project.log('test.mimas')).not.toContain('a line of mine');
  expect(project.log('test.mimas')).toContain('Pipeline stopped successfully');
});

it('logs --tail takes a number of lines, 0 as well', async () => {
  const project = makeProject();
  project.write({ sources: [plain('a', { env: { SPAM: 30, SAY: 'up' }, health_check: { log: 'up' } })] }, { log: { max_size: 1000 } });
  const run = project.start('run', 'pipeline.yaml', '--plain', '--no-control-plane');
  await run.line('Pipeline started successfully');
  expect(project.mimas('logs', '--tail', '0').stdout).toBe('');
  expect(project.mimas('logs', 'a', '--tail', '25').stdout.trim().split('\n').map((line) => line.split(' ')[3] ?? 'up')).toEqual([...Array.from({ length: 24 }, (_, n) => String(n + 6)), 'up']);
  expect(project.mimas('logs', '--tail', 'many')).toMatchObject({ status: 2, stderr: expect.stringContaining('--tail: many is not a number of lines') });
  run.signal('SIGINT');
  expect(await run.exit()).toBe(0);
});
