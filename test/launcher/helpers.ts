// What the launcher tests share: a temporary folder of real patterns, a launcher over it, and looks at real processes.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import { createLauncher, LauncherError, type Launcher, type LauncherOptions } from 'mimas/launcher';
import { temporaryFolder as fileFolder } from '../helpers/temporary.js';

// Tokens of test launchers are left here, also by those that tests start as programs.
process.env['MIMAS_RUNTIME_DIR'] = fileFolder('mimas-run-');

const folders: string[] = [];
const launchers: Launcher[] = [];
afterEach(async () => {
  await Promise.all(launchers.splice(0).map((launcher) => launcher.shutdown({ timeout: 200 })));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mimas-launcher-'));
  folders.push(folder);
  return folder;
}

/** A server in Node that answers at /health with what `status` gives. */
export const nodeServer = ({ before = '', status = '200' }: { before?: string; status?: string } = {}): string => `#!${process.execPath}
${before}
require('node:http').createServer((request, response) => {
  response.writeHead(request.url === '/health' ? (${status}) : 404).end('OK - ' + process.env.PATTERN_NAME + ' is healthy\\n');
}).listen(Number(process.env.HEALTH_PORT), '127.0.0.1', () => console.log('listening'));
`;

export const HEALTH = `healthcheck:
  path: /health
  interval: 50ms
  timeout: 1s
  failure_threshold: 2
  startup_timeout: 5s
`;

/** `config`: what requests may set. */
export interface PatternSpec { script?: string; manifest?: string; health?: string; level?: string; config?: string }

/** Adds a pattern to the folder. Without a health check, to run is to be well. */
export function addPattern(dir: string, name: string, { script = '#!/bin/sh\nexec sleep 60\n', manifest, health = '', level, config = 'SECRET' }: PatternSpec = {}): string {
  const folder = join(dir, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'run'), script, { mode: 0o755 });
  writeFileSync(join(folder, 'manifest.yaml'), manifest ?? `name: ${name}\nversion: 1.0.0\nexecutable: ./run\nconfig: [${config}]\n${level ? `isolation_level: ${level}\n` : ''}${health}`);
  return folder;
}

export interface Started { launcher: Launcher; dir: string; logs: string[]; output: string[] }

export async function start(patterns: Record<string, PatternSpec>, options: LauncherOptions = {}): Promise<Started> {
  const dir = temporaryFolder();
  for (const [name, spec] of Object.entries(patterns)) addPattern(dir, name, spec);
  return startOver(dir, options);
}

export async function startOver(dir: string, options: LauncherOptions = {}): Promise<Started> {
  const logs: string[] = [];
  const output: string[] = [];
  const launcher = await createLauncher({ patternsDir: dir, backOffPeriod: 20, log: (line) => logs.push(line), onOutput: ({ id, line }) => output.push(`${id}| ${line}`), ...options });
  launchers.push(launcher);
  return { launcher, dir, logs, output };
}

/** The first of 100 ports below those that the system gives out, which no other test program that runs beside this one uses. */
export const ownPorts = (): number => 12_000 + (process.pid % 200) * 100;

/** It runs. One that has ended and was not reaped yet (init is slow here) does not. */
export function alive(pid: number | undefined): boolean {
  if (pid === undefined || pid <= 1) throw new Error(`not a pid to ask about: ${pid}`);
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

export async function until(condition: () => boolean | undefined, what = condition.toString()): Promise<void> {
  for (let i = 0; i < 1000 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition(), what).toBe(true);
}

/** The error that a promise is rejected with. */
export async function failure(promise: Promise<unknown>): Promise<LauncherError> {
  try {
    await promise;
  } catch (error) {
    expect(error).toBeInstanceOf(LauncherError);
    return error as LauncherError;
  }
  throw new Error('it did not fail');
}

export const kill = (pid: number | undefined): void => {
  if (pid === undefined || pid <= 1) throw new Error(`not a pid to kill: ${pid}`);
  process.kill(pid, 'SIGKILL');
};

export function has(command: string): boolean {
  const found = spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
  if (!found) console.warn(`SKIPPED: there is no ${command} here`);
  return found;
}
