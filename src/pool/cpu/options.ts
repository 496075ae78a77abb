// What a CPU pool needs of the options of its threads, and which of them cannot work there: those are refused by name.
import { UnsupportedOptionError } from '../../errors.js';
import type { RestartPolicy } from '../../supervisor/restart-options.js';

export interface PrintedLine {
  readonly id: string;
  readonly name: string;
  readonly stream: 'stdout' | 'stderr';
  readonly line: string;
}

export interface CpuOptions {
  readonly file: string;
  /** The beginning of ids. */
  readonly label: string;
  readonly name: string | undefined;
  readonly caller: string;
  readonly dependencies: unknown;
  readonly restartPolicy: RestartPolicy;
  readonly maxMemory: number | undefined;
  /** Default timeout of calls, ms. */
  readonly timeout: number | undefined;
  readonly healthInterval: number | undefined;
  readonly healthTimeout: number;
  readonly metrics: boolean;
  readonly tracing: boolean;
  readonly startupTimeout: number;
  readonly gracePeriod: number;
  /** Hears what the threads print. */
  readonly onLog: (line: PrintedLine) => void;
}

/** What was asked for, as far as a CPU pool has a say in it. */
export interface Asked {
  readonly isolation: string;
  readonly transport: string;
  readonly concurrency: number | undefined;
  readonly tls: unknown;
  readonly maxFrame: unknown;
  readonly latency: string | undefined;
  readonly stuckTimeout: unknown;
  readonly output: string | undefined;
  readonly outputOverflow: string | undefined;
  readonly version: string | undefined;
  readonly maxCpu: unknown;
}

/** @throws UnsupportedOptionError */
export function refuseForCpu(asked: Asked): void {
  const refuse = (option: string, why: string) => {
    throw new UnsupportedOptionError(`${option} cannot work with workload 'cpu': ${why}`, { option });
  };
  if (asked.isolation !== 'worker') refuse('isolation', `its calls run on worker threads, not with isolation '${asked.isolation}'; use 'worker', or workload 'io'`);
  if (asked.transport !== 'ipc') refuse('transport', `its threads are reached by their own channel, not by '${asked.transport}'; use 'ipc', or workload 'io'`);
  if (asked.concurrency !== undefined && asked.concurrency !== 1) refuse('concurrency', 'a thread runs one call at a time; use more threads, or workload \'io\'');
  if (asked.tls !== undefined) refuse('tls', 'nothing leaves this program');
  if (asked.maxFrame !== undefined) refuse('maxFrame', 'values are passed in memory, without frames');
  if (asked.latency === 'low') refuse('latency', "its calls are placed one by one on threads that may wait; use workload 'io'");
  if (asked.stuckTimeout !== undefined) refuse('stuckTimeout', 'a call that is given up ends its thread at once');
  if (asked.output === 'capture') refuse('output', "threads of a CPU pool print to this program's output; use 'inherit', or workload 'io'");
  if (asked.outputOverflow === 'drop') refuse('outputOverflow', "its threads print to this program's output, and wait for it; use workload 'io'");
  if (asked.version !== undefined) refuse('version', 'its threads are no processes of their own; set the version in @Process');
  if (asked.maxCpu !== undefined) refuse('resources.maxCpu', 'full use of a core is what it is for');
}
