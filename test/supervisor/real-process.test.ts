// The supervisor over real OS processes and real time: the way an owner of processes is meant to use it.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { RestartsExhaustedError } from '../../src/errors.js';
import { Supervisor, type SyncContext, type SyncResult, type Syncer, type TerminatingContext } from '../../src/supervisor/index.js';

interface Program { code: string }

/** Brings up `node -e code`; a unit is up when its child has said "ready". */
class NodeSyncer implements Syncer<Program> {
  readonly children = new Map<string, ChildProcess>();
  readonly pids: number[] = [];
  supervisor!: Supervisor<Program>;

  async syncProcess({ id, generation, cause, signal }: SyncContext, _type: string, { code }: Program): Promise<SyncResult> {
    if (this.children.has(id)) return {};
    const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
    const gone = once(child, 'exit', { signal }).then(([exitCode, signalName]) => new Error(`exit ${exitCode ?? signalName}`));
    const first = await Promise.race([once(child.stdout, 'data', { signal }).then(() => undefined), gone]);
    // A first start that fails rejects the caller at once; only what has been up once is restarted.
    if (first) {
      if (cause === 'update') return { terminal: true, error: first };
      throw first;
    }
    this.children.set(id, child);
    this.pids.push(child.pid!);
    child.once('exit', (exitCode) => {
      this.children.delete(id);
      this.supervisor.notifyExit(id, { generation, clean: exitCode === 0, error: new Error(`exit ${exitCode}`) });
    });
    return {};
  }

  async syncTerminatingProcess({ id, signal }: TerminatingContext): Promise<void> {
    const child = this.children.get(id);
    if (!child) return;
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    signal.addEventListener('abort', () => child.kill('SIGKILL'), { once: true });
    await gone;
  }

  syncTerminatedProcess(): void {}
}

const FOREVER = 'setInterval(() => {}, 1000); console.log("ready")';
const DEAF = `process.on("SIGTERM", () => {}); ${FOREVER}`;

function setUp() {
  const syncer = new NodeSyncer();
  const supervisor = new Supervisor<Program>({ syncer, resyncInterval: 200, restartPolicy: { backoff: { initial: 20 } } });
  syncer.supervisor = supervisor;
  return { syncer, supervisor };
}

const alive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

async function until(condition: () => boolean | undefined): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
}

it('18. a process that is killed with SIGKILL comes back with a new pid, and is counted (ProcessCrashRecovery)', async () => {
  const { syncer, supervisor } = setUp();
  expect((await supervisor.updateProcess({ id: 'a', updateType: 'create', config: { code: FOREVER } })).healthy).toBe(true);
  process.kill(syncer.pids[0]!, 'SIGKILL');
  await until(() => supervisor.getProcessStatus('a')?.restartCount === 1 && supervisor.getProcessStatus('a')?.healthy);
  expect(syncer.pids).toHaveLength(2);
  await supervisor.shutdown();
  expect(syncer.pids.filter(alive)).toEqual([]);
});

it('16. a first start that fails is told at once, with its cause, and not tried again', async () => {
  const { syncer, supervisor } = setUp();
  const status = await supervisor.updateProcess({ id: 'a', updateType: 'create', config: { code: 'process.exit(3)' } });
  expect(status).toMatchObject({ state: 'Terminated', endReason: 'failed', lastError: { message: 'exit 3' } });
  expect(syncer.pids).toEqual([]);
  await supervisor.shutdown();
});

it('a process that keeps dying is given up, with the reason', async () => {
  const { supervisor } = setUp();
  await supervisor.updateProcess({ id: 'a', updateType: 'create', config: { code: 'console.log("ready"); setTimeout(() => process.exit(7), 5)' }, restartPolicy: { maxRestarts: 2, backoff: { initial: 5 } } });
  await until(() => supervisor.isFinished('a'));
  const { endReason, lastError, restartCount } = supervisor.getProcessStatus('a')!;
  expect([endReason, restartCount, lastError?.cause]).toEqual(['max-restarts', 2, new Error('exit 7')]);
  expect(lastError).toBeInstanceOf(RestartsExhaustedError);
  await supervisor.shutdown();
});

it('20. a process that does not hear SIGTERM is killed when its grace is over', async () => {
  const { syncer, supervisor } = setUp();
  await supervisor.updateProcess({ id: 'a', updateType: 'create', config: { code: DEAF } });
  const started = performance.now();
  await supervisor.updateProcess({ id: 'a', updateType: 'terminate', terminateOptions: { gracePeriod: 300 } });
  const took = performance.now() - started;
  expect(took).toBeGreaterThan(290);
  expect(took).toBeLessThan(3000);
  expect(syncer.pids.filter(alive)).toEqual([]);
  await supervisor.shutdown();
});
