// Launchers and others that are programs of their own: they can be killed, and run beside each other.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach } from 'vitest';
import { alive, kill } from './helpers.js';

const started: ChildProcess[] = [];
afterEach(() => {
  for (const { pid } of started.splice(0)) if (pid !== undefined && pid > 1 && alive(pid)) kill(pid);
});

/** A process that has nothing to do with any launcher, except for what `env` says. */
export function stranger(env: Record<string, string> = {}): number {
  const child = spawn('sleep', ['60'], { env: { ...process.env, ...env }, detached: true, stdio: 'ignore' });
  started.push(child);
  return child.pid!;
}

/** An ES module in a process of its own, with `createLauncher`; answers when it has printed its first line, which is JSON. */
export async function program<T>(code: string): Promise<{ child: ChildProcess; told: T }> {
  const module = `import { createLauncher } from ${JSON.stringify(import.meta.resolve('mimas/launcher'))};\n${code}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', module], { stdio: ['ignore', 'pipe', 'inherit'] });
  started.push(child);
  const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
  return { child, told: JSON.parse(line) as T };
}

/** A launcher that has launched `p` for `x`. */
export async function launcherProgram(dir: string, stateDir: string, leftovers: 'stop' | 'adopt') {
  const { child, told } = await program<{ pid: number; processId: string; grpcPort: number }>(`
    const launcher = await createLauncher({ patternsDir: ${JSON.stringify(dir)}, stateDir: ${JSON.stringify(stateDir)}, leftovers: '${leftovers}', backOffPeriod: 20, log() {} });
    console.log(JSON.stringify(await launcher.launch({ pattern: 'p', namespace: 'x', config: { SECRET: 's3cret' } })));
    setInterval(() => {}, 1000);`);
  return { program: child, info: told };
}

/** SIGKILL, and waits for the end. */
export async function crash(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  kill(child.pid);
  await gone;
}
