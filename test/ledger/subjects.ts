// What is called, and what befalls it: threads, children, pools, CPU threads, connections over sockets that are cut.
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Isolation, type ProcessManager, type Remote, type RemotePool, type SpawnOptions } from 'mimas';
import { Cutter } from './cutter.js';
import type { Target } from './kinds.js';
import type { LedgerProcess } from './process.js';
import type { Random } from './random.js';

const LEDGER = new URL('../fixtures/ledger/ledger.js', import.meta.url);
const HOST = new URL('../fixtures/ledger/host.mjs', import.meta.url);

export type Fault = (random: Random) => Promise<unknown> | unknown;

export interface Subject extends Target {
  readonly faults: Readonly<Record<string, Fault>>;
  readonly callers: number;
  close?(): Promise<void> | void;
}

interface Setting { readonly pm: ProcessManager; readonly folder: string; readonly file: string }

const FAST = { initial: 20, max: 200 };
/** What waits is few, and does not wait for long: both limits are met all the time. */
const TIGHT = { queueTimeout: 600, maxQueue: 24, stuckTimeout: 1_000, gracePeriod: 1_500 } satisfies SpawnOptions;
const quietly = (promise: Promise<unknown>): Promise<unknown> => promise.catch(() => {});

/** Stopped for a moment; and in any case continued. */
async function pause(pid: number | undefined, random: Random): Promise<void> {
  if (pid === undefined || pid <= 1) return;
  try {
    process.kill(pid, 'SIGSTOP');
    await sleep(100 + random.int(300));
    process.kill(pid, 'SIGCONT');
  } catch {
    // It has ended meanwhile.
  }
}

function kill(pid: number | undefined): void {
  if (pid === undefined || pid === process.pid) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Something else was faster.
  }
}

const leave = (calls: Remote<LedgerProcess>) => () => quietly(Promise.resolve(calls.leaves('')));

async function single({ pm, file }: Setting, isolation: Isolation, transport: 'ipc' | 'unix'): Promise<Subject> {
  const calls = await pm.spawn<LedgerProcess>(LEDGER, { ...TIGHT, isolation, transport, dependencies: { file }, restartPolicy: { maxRestarts: Infinity, backoff: FAST } });
  const handle = calls.$handle;
  const child: Record<string, Fault> = isolation === 'child' ? { 'kill -9': () => kill(handle.pid), 'stop, continue': (random) => pause(handle.pid, random) } : {};
  return { name: `${isolation}/${transport}`, calls, callers: 5, faults: { exit: leave(calls), restart: () => quietly(handle.restart()), ...child } };
}

/** Its restart policy gives up soon; somebody restarts it by hand a moment later. */
async function fragile({ pm, file }: Setting): Promise<Subject> {
  const calls = await pm.spawn<LedgerProcess>(LEDGER, { ...TIGHT, isolation: 'worker', dependencies: { file }, restartPolicy: { maxRestarts: 1, window: '1m', backoff: FAST } });
  const handle = calls.$handle;
  handle.on('failed', () => void setTimeout(() => void quietly(handle.restart()), 300).unref());
  return { name: 'fragile', calls, callers: 2, faults: { exit: leave(calls) } };
}

async function pool({ pm, file }: Setting, isolation: Isolation, breaker: boolean): Promise<Subject> {
  const { stuckTimeout, gracePeriod } = TIGHT;
  const calls = await pm.pool<LedgerProcess>(LEDGER, {
    stuckTimeout, gracePeriod, isolation, size: 2, concurrency: 6, maxQueue: 24, queueTimeout: 400, dependencies: { file },
    restartPolicy: { maxRestarts: Infinity, backoff: FAST }, ...(breaker ? { breaker: { threshold: 4, timeout: 150 } } : {}),
  });
  const handle = (calls as RemotePool<LedgerProcess>).$handle;
  const pid = (random: Random) => random.pick(handle.replicas())?.pid;
  const child: Record<string, Fault> = isolation === 'child' ? { 'kill -9': (random) => kill(pid(random)), 'stop, continue': (random) => pause(pid(random), random) } : {};
  return {
    name: `pool/${isolation}`, calls: calls as unknown as Remote<LedgerProcess>, callers: 4,
    faults: { exit: leave(calls as unknown as Remote<LedgerProcess>), reload: () => quietly(handle.reload()), scale: (random) => quietly(handle.scale(1 + random.int(3))), ...child },
  };
}

async function cpu({ pm, file }: Setting): Promise<Subject> {
  const calls = (await pm.pool<LedgerProcess>(LEDGER, { workload: 'cpu', output: 'inherit', size: 2, maxQueue: 24, queueTimeout: 400, dependencies: { file }, restartPolicy: { maxRestarts: Infinity, backoff: FAST } })) as unknown as Remote<LedgerProcess>;
  return { name: 'pool/cpu', calls, callers: 2, dataOnly: true, faults: { exit: leave(calls), reload: () => quietly((calls.$handle as unknown as { reload(): Promise<void> }).reload()) } };
}

/** Another process of ours serves it over tcp, and the connection can be cut. */
async function overTcp({ pm, file }: Setting): Promise<Subject> {
  const { process: owner, address, token } = await pm.serve<LedgerProcess>(LEDGER, { ...TIGHT, isolation: 'child', dependencies: { file }, restartPolicy: { maxRestarts: Infinity, backoff: FAST } });
  const { port } = new URL(address);
  const cutter = await Cutter.before({ port: Number(port), host: '127.0.0.1' });
  const calls = await pm.connect<LedgerProcess>(cutter.address, { token, queueTimeout: 600 });
  return { name: 'connect/tcp', calls, callers: 4, close: () => cutter.close(), faults: { cut: () => cutter.cut(), 'kill -9': () => kill(owner.$handle.pid), 'stop, continue': (random) => pause(owner.$handle.pid, random) } };
}

/** A program of its own serves it over a unix socket, and takes few calls at once. */
async function overUnix({ pm, folder, file }: Setting): Promise<Subject> {
  const path = join(folder, 'served');
  const token = 'a token of the ledger';
  let child: ChildProcess;
  let over = false;
  const serve = () => new Promise<void>((resolve) => {
    child = fork(HOST, [path, token, file, '12'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    child.once('message', () => resolve());
    child.once('exit', () => !over && void serve());
  });
  await serve();
  const cutter = await Cutter.before({ path }, join(folder, 'cut'));
  const calls = await pm.connect<LedgerProcess>(cutter.address, { token, queueTimeout: 600 });
  const close = async () => {
    over = true;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await ended;
    }
    await cutter.close();
  };
  return { name: 'connect/unix', calls, callers: 4, close, faults: { cut: () => cutter.cut(), 'kill -9': () => kill(child.pid), exit: leave(calls) } };
}

export const makeSubjects = (setting: Setting): Promise<Subject[]> =>
  Promise.all([
    single(setting, 'worker', 'ipc'), single(setting, 'child', 'ipc'), single(setting, 'child', 'unix'), fragile(setting),
    pool(setting, 'worker', true), pool(setting, 'child', false), cpu(setting), overTcp(setting), overUnix(setting),
  ]);
