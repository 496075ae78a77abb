// The real `mimas` command over pipelines that tests write; what happens is waited for, never slept for.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, watch, writeFileSync, type FSWatcher } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { killStarted, runCommand, startCommand } from '../helpers/command.js';
import { root } from '../helpers/compile.js';

export { bin } from '../helpers/command.js';
export const component = join(root, 'test/fixtures/pipeline/component.mjs');

const folders: string[] = [];
const watchers: FSWatcher[] = [];
afterEach(() => {
  for (const watcher of watchers.splice(0)) watcher.close();
  killStarted();
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
    mimas: (...args: string[]) => runCommand(args, { cwd: folder, env }),
    mimasWith: (other: NodeJS.ProcessEnv, ...args: string[]) => runCommand(args, { cwd: folder, env: other }),
    /** Of a mimas that runs containers. */
    guardiansOf: (pid: number) => childrenOf(pid).filter((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('container-guardian')),
    start: (...args: string[]) => startCommand(args, { cwd: folder, env }),
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

const childrenOf = (pid: number): number[] => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

/** With `own.process.ts`, whose class has `body`. */
export function makeProcessProject(body = '') {
  const project = makeProject();
  symlinkSync(join(root, 'node_modules'), join(project.folder, 'node_modules'));
  writeFileSync(join(project.folder, 'own.process.ts'), `
    import { appendFileSync } from 'node:fs';
    import { HealthCheck, Process } from '${join(root, 'dist/index.js')}';
    @Process({ name: 'own' })
    export default class Own {
      constructor() { appendFileSync(process.env['JOURNAL']!, 'start own ' + process.pid + '\\n'); }
      ${body}
    }`);
  return project;
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
