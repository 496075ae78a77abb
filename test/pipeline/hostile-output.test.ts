// What components print is looked at by patterns of the file: neither may hold the pipeline up.
import { expect, it } from 'vitest';
import { alive, makeProject } from './helpers.js';

/** Prints long lines for as long as it lives. */
const PRINTER = `
  const { appendFileSync } = require('node:fs');
  appendFileSync(process.env.JOURNAL, 'start printer ' + process.pid + '\\n');
  const print = () => process.stdout.write('a'.repeat(60000) + '!\\n', () => setImmediate(print));
  print();`;

it('a pattern that would go back for ever, and lines made for it: Ctrl+C is answered', { timeout: 90_000 }, async () => {
  const project = makeProject();
  project.write({ sources: [{ id: 'printer', command: [process.execPath, '-e', PRINTER], health_check: { log: '(a+)+$', start_timeout: '10m' } }] });
  const run = project.start('run', 'pipeline.yaml', '--no-control-plane');
  // The first line has been matched against the pattern before it is printed here.
  await run.line(/printer \| a+/);
  const asked = performance.now();
  run.signal('SIGINT');
  expect(await run.exit()).not.toBeNull();
  expect(performance.now() - asked).toBeLessThan(20_000);
  expect(run.lines).toContain('Received shutdown signal');
  expect(project.pids().filter(alive)).toEqual([]);
});

it('the same pattern is met by the line that it is for', { timeout: 60_000 }, async () => {
  const project = makeProject();
  project.write({ sources: [{ id: 'printer', command: [process.execPath, '-e', `console.log('a'.repeat(60000) + '!'); console.log('ba'); setInterval(() => {}, 1000)`], health_check: { log: '(a+)+$' } }] });
  const run = project.start('run', 'pipeline.yaml', '--plain', '--no-control-plane');
  await run.line('Component printer health check passed');
  run.signal('SIGINT');
  expect(await run.exit()).toBe(0);
});

it('a daemon that a component left behind, and that holds its output open, does not keep the pipeline alive', { timeout: 60_000 }, async () => {
  const project = makeProject();
  project.write({ sources: [{ id: 'parent', command: [process.execPath, '-e', `console.log(require('node:child_process').spawn('sleep', ['1000'], { stdio: ['ignore', 'inherit', 'inherit'], detached: true }).pid); process.exit(0)`], restart_policy: 'no' }] });
  const run = project.start('run', 'pipeline.yaml', '--no-control-plane');
  const [, pid] = /(\d+)$/.exec(await run.line(/parent \| \d+$/))!;
  expect(await run.exit()).toBe(0);
  process.kill(Number(pid), 'SIGKILL');
});

it('what a component said last is told without what would move the cursor', { timeout: 60_000 }, () => {
  const project = makeProject();
  project.write({ sources: [{ id: 'rude', command: [process.execPath, '-e', `console.error('\\u001B[31mred\\u001B[0m \\u009B2J\\u0007\\u202E'); process.exit(3)`], restart_policy: 'no' }] });
  const { status, stderr } = project.mimas('run', 'pipeline.yaml', '--plain', '--no-control-plane');
  expect(status).toBe(1);
  expect(stderr).toMatch(/^ {4}rude \| red .*\\u202e$/m);
  // oxlint-disable-next-line no-control-regex
  expect(stderr).not.toMatch(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u202E]/);
});

it('a coloured line makes a component ready; its lines come without what would move or hide the cursor, in JSON as they were', { timeout: 60_000 }, async () => {
  const project = makeProject();
  const print = `console.log('\\u001B[?25l\\u001B]0;owned\\u0007\\u001B[2K\\u001B[32mready\\u001B[39m on \\u001B[1m80\\u001B[22m'); setInterval(() => {}, 1000)`;
  project.write({ sources: [{ id: 'painter', command: [process.execPath, '-e', print], health_check: { log: '^ready on \\d+$' } }] });
  const run = project.start('run', 'pipeline.yaml', '--no-control-plane');
  await run.line('Pipeline started successfully');
  expect(run.lines).toContain('painter | ready on 80');
  expect(project.mimas('logs').stdout).toBe('painter | ready on 80\n');
  expect((JSON.parse(project.mimas('logs', '--json').stdout) as { line: string }).line).toBe('\u001B[?25l\u001B]0;owned\u0007\u001B[2K\u001B[32mready\u001B[39m on \u001B[1m80\u001B[22m');
  run.signal('SIGINT');
  expect(await run.exit()).toBe(0);
});

it('logs of what has printed nothing say so', { timeout: 60_000 }, async () => {
  const project = makeProject();
  project.write({ sources: [{ id: 'mute', command: ['sleep', '1000'] }, { id: 'quiet', command: ['sleep', '1000'] }] });
  const run = project.start('run', 'pipeline.yaml', '--plain', '--no-control-plane');
  await run.line('Pipeline started successfully');
  expect(project.mimas('logs')).toEqual({ status: 0, stdout: '', stderr: 'test has printed nothing yet\n' });
  expect(project.mimas('logs', 'mute')).toEqual({ status: 0, stdout: '', stderr: 'mute has printed nothing yet\n' });
  expect(project.mimas('logs', '--json')).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(project.mimas('logs', '--tail', '0').stderr).toBe('');
  const following = project.start('logs', '-f', 'quiet');
  await following.stderr(/^quiet has printed nothing yet$/m);
  following.signal('SIGINT');
  await following.exit();
  run.signal('SIGINT');
  expect(await run.exit()).toBe(0);
});
