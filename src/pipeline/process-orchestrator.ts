// Components as processes of this machine: programs in process groups of their own, and Mimas process files.
import { resolve } from 'node:path';
import { ProcessStartError } from '../errors.js';
import { createProcessManager, type ProcessManager } from '../manager/process-manager.js';
import { refuseOnWindows } from '../runtime/platform.js';
import { wrapInCgroup, type Cgroup } from '../runtime/cgroups.js';
import { Executable } from '../runtime/executable.js';
import { groupUsage } from '../runtime/group-usage.js';
import { strangerAt, takenPort, type HostPort } from '../runtime/listeners.js';
import type { LineListener } from '../runtime/output.js';
import { formatBytes } from '../units.js';
import { Limiter } from './limits.js';
import { startMimasProcess, type ProcessPlace } from './mimas-process.js';
import type { Component, Limits, PipelineSpec } from './model.js';
import { checkedPorts } from './semantics.js';
import type { Exit, Launch, Orchestrator, Refusal, Replica, Running } from './orchestrator.js';

const LOOPBACK = '127.0.0.1';

export class ProcessOrchestrator implements Orchestrator {
  readonly type = 'process';
  #folder = process.cwd();
  #components: readonly Component[] = [];
  #manager: ProcessManager | undefined;
  readonly #limiter = new Limiter();
  readonly #listeners = new Map<string, LineListener>();

  refusals(component: Component): Refusal[] {
    const { id, kind, command, binary, process: file, limits, replicas, ports } = component;
    const refusals: Refusal[] = [];
    if (!command && !binary && !file) refusals.push({ field: 'image', message: `${kind} ${id} has only an image: it needs --orchestrator container, or a command` });
    const kept = limits && file ? restOf(limits) : limits;
    if (kept) refusals.push(...this.#limiter.gaps(id, kept));
    const fixed = ports.find(({ env }) => env === undefined);
    if (replicas > 1 && fixed) refusals.push({ field: 'replicas', message: `${id}: ${replicas} replicas cannot share port ${fixed.port}; give the port an env` });
    const shared = checkedPorts(component).find((port) => !ports.some((one) => one.port === port));
    if (replicas > 1 && shared !== undefined) {
      refusals.push({ field: component.healthCheck ? 'health_check' : 'liveness_check', message: `${id}: the health check of ${replicas} replicas needs a port of the component that has an env` });
    }
    return refusals;
  }

  async prepare({ folder, components }: PipelineSpec): Promise<void> {
    refuseOnWindows('a pipeline', 'components are ended by process groups and signals', 'run it in WSL or a container');
    this.#folder = folder;
    this.#components = components;
    if (components.some(({ limits }) => limits)) this.#limiter.clearLeftovers();
  }

  controlPlane(): { listen: readonly string[]; tell: string } {
    return { listen: [LOOPBACK], tell: 'localhost' };
  }

  async start(launch: Launch): Promise<Running> {
    const { id, component } = launch.replica;
    const { process: file, limits } = component;
    const taken = await takenPort(this.#portsOf(launch.replica));
    if (taken !== undefined) throw new ProcessStartError(taken, { file: file ?? component.binary ?? component.command![0]!, phase: 'resolve' });
    // The memory of a process file is limited by its manager.
    const cgroup = this.#limiter.make(id, file === undefined ? limits : limits && restOf(limits));
    try {
      return await (file === undefined ? this.#startProgram(launch, cgroup) : this.#startProcess(launch, file, cgroup));
    } catch (error) {
      cgroup?.remove();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#manager?.shutdown();
    this.#manager = undefined;
  }

  async #startProgram(launch: Launch, cgroup: Cgroup | undefined): Promise<Running> {
    const { replica: { id, component }, env, onLine, signal } = launch;
    const argv = [...(component.binary ? [component.binary] : component.command!), ...component.args];
    const { cwd, reach, exec } = this.#place(launch);
    const program = argv[0]!;
    // A path means what it means to the reader of the file: relative to the working directory of the component.
    const wrapped = wrapInCgroup(cgroup?.entrances ?? [], program.includes('/') ? resolve(cwd, program) : program, argv.slice(1));
    const executable = await Executable.start({ name: id, ...wrapped, env, cwd, onLine });
    if (signal.aborted) await executable.kill();
    return {
      pid: executable.pid,
      exited: executable.exited.then((exit) => (cgroup?.outOfMemory ? outOfMemory(exit, component.limits) : exit)),
      reach,
      exec,
      foreign: (port) => this.#foreign(launch.replica, port, executable.pid),
      async usage() {
        return groupUsage(executable.pid);
      },
      async stop({ grace, hurry }) {
        await executable.stop({ grace, hurry, signal: component.stop.signal });
        cgroup?.remove();
      },
      async gone() {
        await executable.gone();
        cgroup?.remove();
      },
    };
  }

  async #startProcess(launch: Launch, file: string, cgroup: Cgroup | undefined): Promise<Running> {
    const manager = this.#manager ?? this.#createManager();
    this.#listeners.set(launch.replica.id, launch.onLine);
    const running = await startMimasProcess(manager, file, launch, { ...this.#place(launch), cgroup });
    return { ...running, foreign: (port) => (running.pid === undefined ? undefined : this.#foreign(launch.replica, port, running.pid)) };
  }

  /** What nobody else may listen on. A check may look at a port of another component, which is no business of this one. */
  #portsOf({ index, component }: Replica): HostPort[] {
    const { ports, healthPort } = component;
    const checked = checkedPorts(component).filter((port) => !this.#components.some((other) => other.id !== component.id && declares(other, port)));
    const all = [...ports, ...[healthPort ?? [], checked].flat().map((port) => ({ port, protocol: 'tcp' as const }))];
    return all.map(({ port, protocol }) => ({ port: portOfReplica(component, port, index), protocol }));
  }

  #foreign(replica: Replica, port: number, group: number): string | undefined {
    return this.#portsOf(replica).some((one) => one.port === port && one.protocol === 'tcp') ? strangerAt(port, group) : undefined;
  }

  #place({ replica: { index, component }, env }: Launch): Omit<ProcessPlace, 'cgroup'> {
    const { workingDir } = component;
    const cwd = workingDir === undefined ? this.#folder : resolve(this.#folder, workingDir);
    return {
      cwd,
      reach: (port) => ({ host: 'localhost', port: portOfReplica(component, port, index) }),
      exec: (command, signal) => this.#exec(command, cwd, env, signal),
    };
  }

  async #exec(command: readonly string[], cwd: string, env: Readonly<Record<string, string>>, signal: AbortSignal): Promise<number> {
    const executable = await Executable.start({ name: 'health check', command: command[0]!, args: command.slice(1), cwd, env });
    const aborted = new Promise<void>((done) => signal.addEventListener('abort', () => done(), { once: true }));
    // Its time may be over by now: an event that has been is not told again.
    if (!signal.aborted) await Promise.race([executable.exited, aborted]);
    await executable.kill();
    return executable.exit?.code ?? -1;
  }

  #createManager(): ProcessManager {
    this.#manager = createProcessManager({ name: 'mimas pipeline', isolation: 'child', output: 'capture' });
    this.#manager.on('log', ({ name, line, stream }) => this.#listeners.get(name)?.(line, stream));
    return this.#manager;
  }
}

const declares = ({ ports, healthPort, replicas }: Component, port: number): boolean =>
  [...ports.flatMap((one) => [one.port, one.hostPort]), ...(healthPort === undefined ? [] : [healthPort])].some((first) => port >= first && port < first + Math.max(1, replicas));

/** A process that is told its port listens on the host port, replicas on the numbers behind it. */
function portOfReplica({ ports, healthPort }: Component, port: number, index: number): number {
  const entry = ports.find((one) => one.port === port);
  if (entry) return (entry.env === undefined ? entry.port : entry.hostPort) + index;
  return port === healthPort ? port + index : port;
}

function outOfMemory({ code, signal }: Exit, limits: Limits | undefined): Exit {
  return { code, signal, reason: `out of memory${limits?.memory === undefined ? '' : `: its limit is ${formatBytes(limits.memory)}`}` };
}

/** What is left for the kernel to keep. */
function restOf({ cpu, cpuRequest, memoryRequest }: Limits): Limits | undefined {
  return cpu === undefined && cpuRequest === undefined && memoryRequest === undefined ? undefined : { cpu, cpuRequest, memoryRequest, memory: undefined };
}
