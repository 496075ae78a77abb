// The real `mimas` command: run to its end, or started and listened to.
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from './compile.js';

export const bin = join(root, 'dist/cli/main.js');

export interface Surroundings {
  cwd: string;
  env: NodeJS.ProcessEnv;
}

export function runCommand(args: readonly string[], { cwd, env }: Surroundings) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], { cwd, encoding: 'utf8', timeout: 30_000, env });
  return { status, stdout, stderr };
}

const started: ChildProcessWithoutNullStreams[] = [];

/** For `afterEach`: before the folders of what was started are removed. */
export function killStarted(): void {
  for (const child of started.splice(0)) child.kill('SIGKILL');
}

export function startCommand(args: readonly string[], surroundings: Surroundings) {
  const child = spawn(process.execPath, [bin, ...args], surroundings);
  started.push(child);
  let err = '';
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const seen = () => waiting.forEach((look) => look());
  child.stderr.on('data', (chunk: Buffer) => ((err += chunk.toString()), seen()));
  const reader = createInterface({ input: child.stdout }).on('line', (line) => (lines.push(line), seen()));
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const closed = new Promise<void>((resolve) => reader.once('close', resolve));
  /** Resolves with what `look` finds; rejects when the command ends without it. */
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
    until,
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
