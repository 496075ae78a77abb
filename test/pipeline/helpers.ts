// The real `mimas` command over pipelines that tests write; what happens is waited for, never slept for.
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync, type FSWatcher } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach } from 'vitest';
import { root } from '../helpers/compile.js';

export const bin = join(root, 'dist/cli/main.js');
export const component = join(root, 'test/fixtures/pipeline/component.mjs');

const folders: string[] = [];
const started: ChildProcessWithoutNullStreams[] = [];
const watchers: FSWatcher[] = [];
afterEach(() => {
  for (const watcher of watchers.splice(0)) watcher.close();
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

export interface Part {
  id: string;
  env?: Record<string, string | number>;
  [field: string]: unknown;
}

/** A folder with a pipeline file, a journal and a runtime folder of its own. */
export function makeProject() {
  const folder = mkdtempSync(join(tmpdir(), 'mimas-pl-'));
  folders.push(folder);
  const journalFile = join(folder, 'journal');
  writeFileSync(journalFile, '');
  mkdirSync(join(folder, 'run'), { mode: 0o700 });
  const env = { ...process.env, NO_COLOR: '1', MIMAS_RUNTIME_DIR: join(folder, 'run'), JOURNAL: journalFile };
  const file = join(folder, 'pipeline.yaml');
  const journal = () => readFileSync(journalFile, 'utf8').trim().split('\n').filter(Boolean).map((line) => line.split(' ') as [string, string, string]);
  return {
    folder,
    file,
    env,
    journal,
    /** `start a`, `term a` … */
    happened: () => journal().map(([what, id]) => `${what} ${id}`),
    pids: () => journal().filter(([what]) => what === 'start' || what === 'helper').map(([, , pid]) => Number(pid)),
    write: (stages: { sources?: Part[]; processors?: Part[]; sinks?: Part[] }, spec: object = {}, name = 'test') => writeFileSync(file, JSON.stringify({ apiVersion: 'mimas/v1', kind: 'Pipeline', metadata: { name }, spec: { ...spec, ...stages } })),
    /** Runs a command to its end. */
    mimas: (...args: string[]) => runCommand(args, folder, env),
    mimasWith: (other: NodeJS.ProcessEnv, ...args: string[]) => runCommand(args, folder, other),
    /** Of a mimas that runs containers. */
    guardiansOf: (pid: number) => childrenOf(pid).filter((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('container-guardian')),
    start: (...args: string[]) => startCommand(args, folder, env),
    log: (id: string) => readFileSync(join(folder, 'logs', `${id}.log`), 'utf8'),
    /** Resolves when the journal fits. */
    until: (look: (happened: string[]) => boolean) =>
      new Promise<void>((resolve) => {
        const watcher = watch(journalFile, () => check());
        watchers.push(watcher);
        const check = () => {
          if (!look(journal().map(([what, id]) => `${what} ${id}`))) return;
          watcher.close();
          resolve();
        };
        check();
      }),
  };
}

function runCommand(args: string[], cwd: string, env: NodeJS.ProcessEnv) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], { cwd, encoding: 'utf8', timeout: 30_000, env });
  return { status, stdout, stderr };
}

const childrenOf = (pid: number): number[] => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

function startCommand(args: string[], cwd: string, env: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, [bin, ...args], { cwd, env });
  started.push(child);
  let err = '';
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const seen = () => waiting.forEach((look) => look());
  child.stderr.on('data', (chunk: Buffer) => ((err += chunk.toString()), seen()));
  const reader = createInterface({ input: child.stdout }).on('line', (line) => (lines.push(line), seen()));
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const closed = new Promise<void>((resolve) => reader.once('close', resolve));
  const until = <T>(look: () => T | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const check = () => {
        const found = look();
        if (found === undefined) return;
        waiting.delete(check);
        resolve(found);
      };
      waiting.add(check);
      void exited.then(() => closed).then(check).then(() => waiting.has(check) && reject(new Error(`it ended first\n${lines.join('\n')}\n${err}`)));
      check();
    });
  return {
    child,
    lines,
    err: () => err,
    line: (text: string | RegExp) => until(() => lines.find((line) => (typeof text === 'string' ? line === text : text.test(line)))),
    stderr: (pattern: RegExp) => until(() => pattern.exec(err) ?? undefined),
    async exit() {
      const code = await exited;
      await closed;
      return code;
    },
    signal: (signal: NodeJS.Signals) => child.kill(signal),
  };
}

/** A component that serves its health at a port. */
export const serving = (id: string, port: number, more: Partial<Part> = {}): Part => ({
  id,
  command: [process.execPath, component],
  health_check: { http: `http://localhost:${port}/health`, interval: '100ms' },
  ...more,
  env: { PORT: port, ...more.env },
});

/** A component that has no port. */
export const plain = (id: string, more: Partial<Part> = {}): Part => ({ id, command: [process.execPath, component], ...more });

export const alive = (pid: number): boolean => {
  try {
    // A zombie has ended.
    return process.kill(pid, 0) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

/** For what nothing tells of: the end of processes that are nobody's children here. */
export async function eventually(condition: () => boolean | Promise<boolean>, within = 10_000): Promise<boolean> {
  const end = Date.now() + within;
  while (Date.now() < end) {
    if (await condition()) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return condition();
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => new Promise<ReturnType<typeof createServer>>((resolve) => {
      const server = createServer();
      server.listen(0, '127.0.0.1', () => resolve(server));
    })),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
