// What the tests of a process's life share: fixtures, managers that are shut down, and facts of the operating system.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import { createProcessManager, type ManagerOptions, type ProcessManager, type ProcessStatus, type Remote } from 'mimas';
import { temporaryFolder } from '../helpers/temporary.js';

export const fixtures = new URL('../fixtures/processes/lifecycle/', import.meta.url);
export const fixture = (name: string): URL => new URL(name, fixtures);
export const subjectFile = fixture('subject.js');
export const isolated = ['worker', 'child'] as const;
export const isolations = ['none', 'worker', 'child'] as const;
export const transports = ['ipc', 'unix', 'tcp', 'ws'] as const;

/** The methods of `subject.js`. */
export interface Subject {
  add(a: number, b: number): number;
  count(): number;
  given(): unknown;
  about(): { pid: number; threadId: number; argv: string[]; cwd: string; execArgv: string[]; env: Record<string, string | undefined> };
  headers(): Record<string, string>;
  fail(message: string): void;
  hang(): Promise<void>;
  sleep(ms: number): Promise<number>;
  logAfter(ms: number, text: string): Promise<string>;
  stream(): AsyncGenerator<number>;
  print(text: string): void;
  exit(code: number): void;
  exitSaying(code: number, text: string): Promise<void>;
  throwLater(message: string): Promise<void>;
  rejectLater(message: string): Promise<void>;
  signalSelf(signal: string): Promise<void>;
  effect(file: string, deaths: number): number;
  idempotentEffect(file: string, deaths: number): number;
  derive(iterations: number): number;
  spin(): void;
  spinFor(ms: number): number;
  spinShare(ms: number): number;
  leak(): void;
  keepBuffer(bytes: number): void;
  freeBuffers(): void;
  dropLinks(): Promise<void>;
  grandchild(): number;
  ignoreSignals(): void;
}

const managers: ProcessManager[] = [];
afterEach(async () => {
  await Promise.all(managers.splice(0).map((manager) => manager.shutdown({ timeout: 100 })));
});

/** A manager that is shut down after the test. Restarts are quick, and output stays off the terminal. */
export function manager(options: ManagerOptions = {}): ProcessManager {
  const made = createProcessManager({ output: 'capture', restartPolicy: { backoff: { initial: 20 } }, ...options });
  managers.push(made);
  return made;
}

/** What `promise` rejects with; fails the test when it does not. */
export async function rejection(promise: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  try {
    await promise;
  } catch (error) {
    return error as Error & Record<string, unknown>;
  }
  return expect.unreachable('it should have rejected');
}

/** Resolves with the detail of the next `event`. Ask before you cause it. */
export function next<T>(on: (listener: (detail: T) => void) => () => void): Promise<T> {
  return new Promise((resolve) => {
    const off = on((detail) => {
      off();
      resolve(detail);
    });
  });
}

/** Resolves once the process has that status. */
export async function reaches(proxy: Remote<Subject>, status: ProcessStatus): Promise<void> {
  const { $handle } = proxy;
  if ($handle.status === status) return;
  await new Promise<void>((resolve) => {
    const off = $handle.on('status', ({ to }) => {
      if (to !== status) return;
      off();
      resolve();
    });
  });
}

/** True while a process with this pid exists and is no zombie. */
export function alive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Resolves with the milliseconds until none of `pids` is alive; gives up after `limit`. */
export async function gone(pids: readonly number[], limit: number): Promise<number> {
  const start = performance.now();
  // Nothing tells a program of the end of a process that is not its child.
  while (pids.some(alive)) {
    if (performance.now() - start > limit) return expect.unreachable(`still alive after ${limit} ms: ${pids.filter(alive).join(', ')}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return performance.now() - start;
}

export { livingChildren as children } from '../helpers/living.js';

export const temporaryFile = (name = 'log'): string => join(temporaryFolder('mimas-test-'), name);
export const linesOf = (file: string): string[] => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []);
