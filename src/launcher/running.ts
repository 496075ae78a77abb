// One incarnation of a launched pattern, whatever it is: an executable, a Mimas process, or what a predecessor left running.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { nanoid } from 'nanoid';
import { describeExit, Executable } from '../runtime/executable.js';
import type { LineListener } from '../runtime/output.js';
import type { CheckResult } from '../runtime/probes.js';
import { within } from '../runtime/within.js';
import type { ManagedProcess } from '../manager/managed-process.js';
import type { ProcessManager } from '../manager/process-manager.js';
import { wrapInCgroup, type Cgroup } from '../runtime/cgroups.js';
import { isSame } from '../runtime/identity.js';
import type { Manifest } from './manifest.js';
import { endOrphan, markedBy } from './orphans.js';
import type { ProcessRecord } from './state-folder.js';

/** How often an adopted process, which is no child of this program, is looked at, ms. */
const ADOPTED_POLL_MS = 100;
/** So much of the end of an output file is read, bytes. */
const TAIL_BYTES = 16_384;
const TAIL_LINES = 20;

export interface StopRequest {
  /** Time to end by itself, ms; 0 kills at once. */
  readonly grace: number;
  readonly hurry?: AbortSignal | undefined;
}

export interface Running {
  readonly pid: number | undefined;
  readonly alive: boolean;
  /** How it ended. Never rejects. */
  readonly exited: Promise<string>;
  /** Resolves when nothing of it is left. */
  stop(request: StopRequest): Promise<void>;
  lines(): readonly string[];
  stderrTail(): string;
  /** Its own health check, where it brings one. */
  readonly look?: ((timeout: number) => Promise<CheckResult>) | undefined;
  /** The unit of a Mimas process. */
  readonly unit?: ManagedProcess | undefined;
}

export interface StartRequest {
  readonly id: string;
  readonly manifest: Manifest;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cgroup: Cgroup | undefined;
  readonly onLine: LineListener;
  /** Survive this program: the output goes to this file and no guardian watches. */
  readonly outputFile: string | undefined;
  readonly startupTimeout: number;
  /** Bytes. */
  readonly memoryLimit: number | undefined;
  /** Calls the start off. */
  readonly signal: AbortSignal;
}

/** @throws ProcessStartError */
export async function startExecutable({ id, manifest, env, cgroup, onLine, outputFile }: StartRequest): Promise<Running> {
  const { command, args } = wrapInCgroup(cgroup?.entrances ?? [], manifest.executable!, manifest.args);
  const from = outputFile === undefined ? 0 : sizeOf(outputFile);
  const child = await Executable.start({ name: id, command, args, env, cwd: manifest.folder, onLine, outputFile, guard: outputFile === undefined });
  const lines = () => (outputFile === undefined ? child.lines() : linesOf(outputFile, from));
  return {
    pid: child.pid,
    get alive() {
      return child.exit === undefined;
    },
    exited: child.exited.then(async (exit) => {
      await child.gone();
      return describeExit(exit);
    }),
    stop: (request) => child.stop(request),
    lines,
    // Both streams are in the file.
    stderrTail: () => (outputFile === undefined ? child.stderrTail() : lines().slice(-TAIL_LINES).join('\n')),
  };
}

/** It is served at GRPC_PORT to those who know the MIMAS_TOKEN that it was launched with. @throws ProcessStartError, InitError */
export async function startMimasProcess({ id, manifest, env, onLine, startupTimeout, memoryLimit, signal }: StartRequest, pm: ProcessManager): Promise<Running> {
  // What it prints before it is ready counts most when it never is.
  const early = pm.on('log', ({ name, line, stream }) => void (name === id && onLine(line, stream)));
  const unit = await pm.spawnUnit(manifest.process!, {
    name: id,
    isolation: 'child',
    // It is for those who call, not for what the process starts.
    env: { ...env, MIMAS_TOKEN: undefined },
    output: 'capture',
    startupTimeout,
    // Restarts are the launcher's.
    restartPolicy: { enabled: false },
    ...(memoryLimit !== undefined && { resources: { maxMemory: memoryLimit } }),
  }, signal, { address: { kind: 'tcp', host: '127.0.0.1', port: Number(env['GRPC_PORT']) }, token: env['MIMAS_TOKEN'] ?? nanoid(32), tls: undefined }).finally(early);
  unit.on('log', ({ line, stream }) => onLine(line, stream));
  const { pid } = unit;
  let alive = true;
  const exited = new Promise<string>((resolve) => {
    const end = (how: string) => {
      alive = false;
      resolve(how);
    };
    unit.on('crash', ({ error, exitCode, signal }) => {
      // Its group is emptied before it counts as gone.
      void unit.stop({ timeout: 0 }).catch(() => {}).finally(() => end(signal ?? (exitCode === null ? error.message : `exit code ${exitCode}`)));
    });
    unit.on('stop', () => end('stopped'));
  });
  return {
    pid,
    get alive() {
      return alive;
    },
    exited,
    unit,
    async stop({ grace, hurry }) {
      const cut = () => void unit.kill().catch(() => {});
      hurry?.addEventListener('abort', cut, { once: true });
      await (hurry?.aborted ? unit.kill() : unit.stop({ timeout: grace })).finally(() => hurry?.removeEventListener('abort', cut));
    },
    lines: () => unit.logs(),
    stderrTail: () => unit.logs().slice(-TAIL_LINES).join('\n'),
    async look(timeout) {
      const answer = unit.health();
      // Its loop may be blocked.
      if (!(await within(answer, timeout))) return { ok: false, message: `no answer within ${timeout} ms` };
      const { status, checks } = await answer;
      const bad = checks.find((check) => check.status === 'fail');
      return { ok: status !== 'unhealthy', message: bad ? `${bad.name}: ${bad.message ?? bad.status}` : status };
    },
  };
}

/** A process that an earlier launcher started and that lives on. Its output goes on into its file. */
export function adopt(record: ProcessRecord, outputFile: string): Running {
  const exited = new Promise<string>((resolve) => {
    const timer = setInterval(() => {
      if (isSame(record)) return;
      clearInterval(timer);
      void endOfStart(record).then(() => resolve('ended (it was adopted: its exit code is not known)'));
    }, ADOPTED_POLL_MS);
    timer.unref();
  });
  const lines = () => linesOf(outputFile, 0);
  return {
    pid: record.pid,
    get alive() {
      return isSame(record);
    },
    exited,
    async stop({ grace, hurry }) {
      await endOrphan(record, grace, hurry);
      await endOfStart(record);
    },
    lines,
    stderrTail: () => lines().slice(-TAIL_LINES).join('\n'),
  };
}

/** Whom it left behind is killed: its group had no parent that watched over it, so they are known by their mark. */
async function endOfStart({ launch }: ProcessRecord): Promise<void> {
  await Promise.all(markedBy(launch).map((marked) => endOrphan(marked, 0)));
}

function sizeOf(file: string): number {
  return withFile(file, (handle) => fstatSync(handle).size) ?? 0;
}

/** The last lines of a file that begin behind `from`. */
function linesOf(file: string, from: number): string[] {
  const text = withFile(file, (handle) => {
    const { size } = fstatSync(handle);
    const start = Math.max(from, size - TAIL_BYTES);
    const buffer = Buffer.alloc(Math.max(0, size - start));
    return buffer.subarray(0, readSync(handle, buffer, 0, buffer.length, start)).toString('utf8');
  });
  return (text ?? '').split('\n').filter((line) => line !== '');
}

function withFile<T>(file: string, read: (handle: number) => T): T | undefined {
  let handle: number | undefined;
  try {
    handle = openSync(file, 'r');
    return read(handle);
  } catch {
    // It is not there (yet).
    return undefined;
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}
