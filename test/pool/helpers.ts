// Pools of the test fixture, ended after each test; and pools of members that live in this test.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import { afterEach } from 'vitest';
import { createProcessManager, type ManagerOptions, type PoolSpawnOptions, type ProcessManager, type ProcessStatus, type RemotePool } from '../../dist/index.js';
import type { Member, MemberEvents, StartMember } from '../../dist/pool/member.js';
import { resolvePoolOptions, type PoolOptions } from '../../dist/pool/options.js';
import { Pool } from '../../dist/pool/pool.js';
import { createRemote } from '../../dist/rpc/remote.js';
import { iterateResult } from '../../dist/rpc/iterate-result.js';
import { Meter } from '../../dist/rpc/meter.js';
import { Emitter } from '../../dist/supervisor/emitter.js';
import type { Halt } from '../../dist/supervisor/halt.js';
import type { Clock } from '../../dist/supervisor/clock.js';
import { temporaryProject } from '../helpers/compile.js';
import type Worker from '../fixtures/pool/worker.process.js';

export type { Worker };
/** As users write it. */
export const SOURCE = new URL('../fixtures/pool/worker.process.ts', import.meta.url);
/** Compiled once, so that the many replicas of these tests start fast. */
export const FILE = join(temporaryProject(), 'worker.process.js');
writeFileSync(FILE, transformSync(readFileSync(SOURCE, 'utf8'), { loader: 'ts', target: 'es2022', tsconfigRaw: { compilerOptions: { experimentalDecorators: true } } }).code);

const managers: ProcessManager[] = [];
afterEach(async () => {
  await Promise.all(managers.splice(0).map((pm) => pm.shutdown({ timeout: 500 })));
});

export function manager(options: ManagerOptions = {}): ProcessManager {
  const pm = createProcessManager({ gracePeriod: 2_000, restartPolicy: { backoff: { initial: 20 } }, ...options });
  managers.push(pm);
  return pm;
}

export const makePool = (options: PoolSpawnOptions = {}, file: string | URL = FILE): Promise<RemotePool<Worker>> => manager().pool<Worker>(file, { size: 2, ...options });

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(condition: () => boolean | Promise<boolean>, ms = 5_000): Promise<void> {
  for (const end = performance.now() + ms; !(await condition()); ) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${condition.toString()}`);
    await sleep(5);
  }
}

/** How often each item occurs, the most frequent first. */
export function counts(items: readonly unknown[]): number[] {
  const by = new Map<unknown, number>();
  for (const item of items) by.set(item, (by.get(item) ?? 0) + 1);
  return [...by.values()].sort((a, b) => b - a);
}

export const codeOf = (promise: Promise<unknown>): Promise<unknown> => promise.then(
  (value) => ({ value }),
  (error: { code?: unknown; name: string }) => error.code ?? error.name,
);

/** A member without a process: its calls end when the test says so. */
export class FakeMember implements Member {
  static #count = 0;
  readonly id = `fake-${++FakeMember.#count}`;
  readonly name = 'fake';
  readonly pid = undefined;
  readonly threadId = undefined;
  readonly meter = new Meter();
  restarts = 0;
  status: ProcessStatus = 'running';
  failure: Error | undefined;
  halt: Halt | undefined;
  readonly events = new Emitter<MemberEvents>();
  /** How often it was tried before its time. */
  retries = 0;
  memory = 0;
  stopped = false;
  readonly calls: { method: string; args: unknown[]; resolve(value?: unknown): void; reject(error: unknown): void }[] = [];
  readonly #listeners = new Set<(status: ProcessStatus) => void>();

  withheld(): string[] {
    return [];
  }
  methodNames(): string[] {
    return ['work'];
  }
  methodInfo(name: string) {
    return name === 'work' ? { name, number: 0, stream: false, timeout: undefined, idempotent: false, concurrency: undefined } : undefined;
  }
  invoke(method: string, args: unknown[]): Promise<unknown> {
    const promise = new Promise<unknown>((resolve, reject) => this.calls.push({ method, args, resolve, reject }));
    return Object.assign(promise, { [Symbol.asyncIterator]: iterateResult });
  }
  onStatus(listener: (status: ProcessStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  hear<E extends keyof MemberEvents>(event: E, listener: (detail: MemberEvents[E]) => void): () => void {
    return this.events.on(event, listener);
  }
  async retry(): Promise<void> {
    this.retries++;
    this.halt = undefined;
    this.become('running');
  }
  /** It has died once more, and is tried again in so many ms. */
  rest(ms: number): void {
    this.become('restarting');
    this.halt = { limit: 'maxRestarts', why: 'too often', until: performance.now() + ms, cause: undefined };
    this.events.emit('halt', this.halt);
  }
  become(status: ProcessStatus): void {
    this.status = status;
    for (const listener of this.#listeners) listener(status);
  }
  /** Ends the oldest call. */
  finish(value?: unknown): void {
    this.calls.shift()!.resolve(value);
  }
  async stop(): Promise<void> {
    this.stopped = true;
    this.status = 'stopped';
  }
  async health() {
    return { status: 'healthy' as const, checks: [] };
  }
  async metrics() {
    return { cpu: 0, memory: this.memory, eventLoopUtilization: 0, rateWindow: 0, ...this.meter.snapshot(), inFlight: this.calls.length, queued: 0, restarts: 0, uptime: 0 };
  }
}

export interface FakePool {
  readonly pool: Pool;
  readonly members: FakeMember[];
  readonly remote: { work(...args: unknown[]): Promise<unknown>; $with(options: object): { work(...args: unknown[]): Promise<unknown> } };
}

/** A pool of fake members, those that were started in order. */
export async function fakePool(options: PoolOptions, { clock, start }: { clock?: Clock; start?: (make: () => FakeMember) => Promise<FakeMember> } = {}): Promise<FakePool> {
  const members: FakeMember[] = [];
  const make = (): FakeMember => {
    const member = new FakeMember();
    members.push(member);
    return member;
  };
  const starter: StartMember = () => (start ? start(make) : Promise.resolve(make()));
  const pool = new Pool({ id: 'pool-1', name: 'fake', options: resolvePoolOptions(options), start: starter, ...(clock ? { clock } : {}) });
  await pool.population.start();
  return { pool, members, remote: createRemote(pool) as FakePool['remote'] };
}
