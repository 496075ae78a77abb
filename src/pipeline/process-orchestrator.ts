// Components as processes of this machine: programs in process groups of their own, and Mimas process files.
import { ProcessStartError } from '../errors.js';
import { createProcessManager, type ProcessManager } from '../manager/process-manager.js';
import { Executable } from '../runtime/executable.js';
import type { LineListener } from '../runtime/output.js';
import type { Component, PipelineSpec } from './model.js';
import type { Launch, Orchestrator, Running } from './orchestrator.js';
import { resolve } from 'node:path';

const LOOPBACK = '127.0.0.1';

export class ProcessOrchestrator implements Orchestrator {
  readonly type = 'process';
  #folder = process.cwd();
  #manager: ProcessManager | undefined;
  readonly #listeners = new Map<string, LineListener>();

  refusal({ id, kind, command, binary, process: file, limits, replicas, ports, healthCheck }: Component): string | undefined {
    if (!command && !binary && !file) return `${kind} ${id} has only an image: it needs --orchestrator container, or a command`;
    if (limits?.cpu !== undefined) return `${id}: resources.cpu cannot be kept for a process; put it under container.resources`;
    if (limits?.memory !== undefined && !file) return `${id}: resources.memory cannot be kept for a program; put it under container.resources`;
    const fixed = ports.find(({ env }) => env === undefined);
    if (replicas > 1 && fixed) return `${id}: ${replicas} replicas cannot share port ${fixed.port}; give the port an env`;
    const check = healthCheck?.check;
    if (replicas > 1 && check && (check.kind === 'http' || check.kind === 'tcp') && typeof check.port === 'number' && !ports.some(({ port }) => port === check.port)) {
      return `${id}: the health check of ${replicas} replicas needs a port of the component that has an env`;
    }
    return undefined;
  }

  async prepare({ folder }: PipelineSpec): Promise<void> {
    this.#folder = folder;
  }

  controlPlane(): { listen: readonly string[]; tell: string } {
    return { listen: [LOOPBACK], tell: 'localhost' };
  }

  start(launch: Launch): Promise<Running> {
    return launch.replica.component.process === undefined ? this.#startProgram(launch) : this.#startProcess(launch, launch.replica.component.process);
  }

  async close(): Promise<void> {
    await this.#manager?.shutdown();
    this.#manager = undefined;
  }

  async #startProgram({ replica: { id, index, component }, env, onLine, signal }: Launch): Promise<Running> {
    const argv = [...(component.binary ? [component.binary] : component.command!), ...component.args];
    const cwd = this.#cwd(component);
    const program = argv[0]!;
    const executable = await Executable.start({
      name: id,
      // A path means what it means to the reader of the file: relative to the working directory of the component.
      command: program.includes('/') ? resolve(cwd, program) : program,
      args: argv.slice(1),
      env,
      cwd,
      onLine,
    });
    if (signal.aborted) await executable.kill();
    return {
      pid: executable.pid,
      exited: executable.exited,
      reach: (port) => ({ host: LOOPBACK, port: portOfReplica(component, port, index) }),
      exec: (command, abort) => this.#exec(command, cwd, env, abort),
      stop: ({ grace, hurry }) => executable.stop({ grace, hurry, signal: component.stop.signal }),
      gone: () => executable.gone(),
    };
  }

  async #exec(command: readonly string[], cwd: string, env: Readonly<Record<string, string>>, signal: AbortSignal): Promise<number> {
    const executable = await Executable.start({ name: 'health check', command: command[0]!, args: command.slice(1), cwd, env });
    const aborted = new Promise<void>((done) => signal.addEventListener('abort', () => done(), { once: true }));
    await Promise.race([executable.exited, aborted]);
    await executable.kill();
    return executable.exit?.code ?? -1;
  }

  async #startProcess({ replica: { id, index, component }, env, onLine, signal }: Launch, file: string): Promise<Running> {
    const manager = this.#manager ?? this.#createManager();
    this.#listeners.set(id, onLine);
    const proxy = await manager.spawn(file, {
      name: id,
      env,
      argv: component.args,
      cwd: this.#cwd(component),
      startupTimeout: component.healthCheck?.startTimeout ?? 30_000,
      // The pipeline's supervisor restarts it.
      restartPolicy: { enabled: false },
      ...(component.limits?.memory === undefined ? {} : { resources: { maxMemory: component.limits.memory } }),
    });
    const handle = proxy.$handle;
    const { pid } = handle;
    const exited = new Promise<{ code: number | null; signal: string | null }>((done) => {
      handle.on('crash', ({ exitCode, signal: by }) => done({ code: exitCode, signal: by }));
      handle.on('stop', () => done({ code: 0, signal: null }));
    });
    const stop = async (grace: number, hurry?: AbortSignal) => {
      const kill = () => void handle.kill();
      hurry?.addEventListener('abort', kill, { once: true });
      if (grace <= 0 || hurry?.aborted) await handle.kill();
      else await handle.stop({ timeout: grace });
      hurry?.removeEventListener('abort', kill);
    };
    if (signal.aborted) {
      await stop(0);
      throw new ProcessStartError(`${id}: was stopped while it started`, { file, phase: 'ready' });
    }
    return {
      pid,
      exited,
      reach: (port) => ({ host: LOOPBACK, port: portOfReplica(component, port, index) }),
      exec: (command, abort) => this.#exec(command, this.#cwd(component), env, abort),
      async health() {
        const { status, checks } = await handle.health();
        if (status === 'unhealthy') throw new Error(checks.find((check) => check.status === 'fail')?.message ?? 'it says that it is unhealthy');
      },
      stop: ({ grace, hurry }) => stop(grace, hurry),
      gone: () => stop(0),
    };
  }

  #createManager(): ProcessManager {
    this.#manager = createProcessManager({ name: 'mimas pipeline', isolation: 'child', output: 'capture' });
    this.#manager.on('log', ({ name, line, stream }) => this.#listeners.get(name)?.(line, stream));
    return this.#manager;
  }

  #cwd({ workingDir }: Component): string {
    return workingDir === undefined ? this.#folder : resolve(this.#folder, workingDir);
  }
}

/** A process that is told its port listens on the host port, replicas on the numbers behind it. */
export function portOfReplica({ ports, healthPort }: Component, port: number, index: number): number {
  const entry = ports.find((one) => one.port === port);
  if (entry) return (entry.env === undefined ? entry.port : entry.hostPort) + index;
  return port === healthPort ? port + index : port;
}
