// One incarnation of a launched pattern, whatever it is: an executable, a Mimas process, or what a predecessor left running.
import { nanoid } from 'nanoid';
import { describeExit, Executable } from '../runtime/executable.js';
import type { LineListener } from '../runtime/output.js';
import type { CheckResult } from '../runtime/probes.js';
import type { ManagedProcess } from '../manager/managed-process.js';
import type { ProcessManager } from '../manager/process-manager.js';
import { wrapInCgroup, type Cgroup } from '../runtime/cgroups.js';
import { isSame, type Identity } from './identity.js';
import type { Manifest } from './manifest.js';
import { endOrphan } from './orphans.js';

/** How often an adopted process, which is no child of this program, is looked at, ms. */
const ADOPTED_POLL_MS = 100;

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
  readonly env: Readonly<Record<string, string>>;
  readonly cgroup: Cgroup | undefined;
  readonly onLine: LineListener;
  /** Survive this program: the output goes to this file and no guardian watches. */
  readonly outputFile: string | undefined;
  readonly startupTimeout: number;
}

/** @throws ProcessStartError */
export async function startExecutable({ id, manifest, env, cgroup, onLine, outputFile }: StartRequest): Promise<Running> {
  const { command, args } = wrapInCgroup(cgroup?.entrances ?? [], manifest.executable!, manifest.args);
  const child = await Executable.start({ name: id, command, args, env, cwd: manifest.folder, onLine, outputFile, guard: outputFile === undefined });
  return {
    pid: child.pid,
    get alive() {
      return child.exit === undefined;
    },
    exited: child.exited.then(async (exit) => {
      await child.gone();
      return `${describeExit(exit)}${cgroup?.outOfMemory ? ' (it went over its memory limit)' : ''}`;
    }),
    stop: (request) => child.stop(request),
    lines: () => child.lines(),
    stderrTail: () => child.stderrTail(),
  };
}

/** It is served at GRPC_PORT to those who know the MIMAS_TOKEN that it was launched with. @throws ProcessStartError, InitError */
export async function startMimasProcess({ manifest, env, cgroup, onLine, startupTimeout }: StartRequest, pm: ProcessManager): Promise<Running> {
  const memory = manifest.resources?.memoryLimit;
  const unit = await pm.spawnUnit(manifest.process!, {
    isolation: 'child',
    env,
    output: 'capture',
    startupTimeout,
    // Restarts are the launcher's.
    restartPolicy: { enabled: false },
    ...(memory !== undefined && { resources: { maxMemory: memory } }),
  }, undefined, { address: { kind: 'tcp', host: '127.0.0.1', port: Number(env['GRPC_PORT']) }, token: env['MIMAS_TOKEN'] ?? nanoid(32), tls: undefined });
  unit.on('log', ({ line, stream }) => onLine(line, stream));
  const { pid } = unit;
  if (pid !== undefined) cgroup?.enter(pid);
  let alive = true;
  const exited = new Promise<string>((resolve) => {
    const end = (how: string) => {
      alive = false;
      resolve(how);
    };
    unit.on('crash', ({ error, exitCode, signal }) => {
      // Its group is emptied before it counts as gone.
      void unit.stop({ timeout: 0 }).finally(() => end(signal ?? (exitCode === null ? error.message : `exit code ${exitCode}`)));
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
      const cut = () => void unit.kill();
      hurry?.addEventListener('abort', cut, { once: true });
      await (hurry?.aborted ? unit.kill() : unit.stop({ timeout: grace }));
      hurry?.removeEventListener('abort', cut);
    },
    lines: () => unit.logs(),
    stderrTail: () => unit.logs().slice(-20).join('\n'),
    async look() {
      const { status, checks } = await unit.health();
      const bad = checks.find((check) => check.status === 'fail');
      return { ok: status !== 'unhealthy', message: bad ? `${bad.name}: ${bad.message ?? bad.status}` : status };
    },
  };
}

/** A process that an earlier launcher started and that lives on. */
export function adopt(identity: Identity): Running {
  const exited = new Promise<string>((resolve) => {
    const timer = setInterval(() => {
      if (isSame(identity)) return;
      clearInterval(timer);
      resolve('ended (it was adopted: its exit code is not known)');
    }, ADOPTED_POLL_MS);
    timer.unref();
  });
  return {
    pid: identity.pid,
    get alive() {
      return isSame(identity);
    },
    exited,
    stop: async ({ grace, hurry }) => void (await endOrphan(identity, grace, hurry)),
    lines: () => [],
    stderrTail: () => '',
  };
}
