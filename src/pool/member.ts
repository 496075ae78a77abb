// What a pool needs of a process to have it as a replica. The manager's processes are members; the pool knows no more of them.
import type { Meter } from '../rpc/meter.js';
import type { MethodInfo } from '../rpc/service.js';
import type { Halt } from '../supervisor/halt.js';
import type { CallOptions, HealthStatus, ProcessInfo, ProcessMetrics, ProcessStatus } from '../types.js';

export interface MemberEvents {
  /** A limit of its restart policy lets it rest. */
  halt: Halt;
  /** New calls wait until it has shown that it is not stuck (true), or go on. */
  held: boolean;
  /** It has died; `methods` are those that may have ended it. */
  death: { methods: readonly string[]; error: Error };
}

export interface Member {
  readonly id: string;
  readonly name: string;
  readonly status: ProcessStatus;
  readonly pid: number | undefined;
  readonly threadId: number | undefined;
  readonly restarts: number;
  readonly meter: Meter;
  methodNames(): readonly string[];
  /** Methods of its class that are not public. */
  withheld(): readonly string[];
  methodInfo(name: string): MethodInfo | undefined;
  /** One call. */
  invoke(method: string, args: unknown[], options: CallOptions): Promise<unknown>;
  /** Hears each change of `status`; the function returned stops that. */
  onStatus(listener: (status: ProcessStatus) => void): () => void;
  hear<E extends keyof MemberEvents>(event: E, listener: (detail: MemberEvents[E]) => void): () => void;
  /** Why it failed for good. */
  readonly failure: Error | undefined;
  /** It rests, and is tried again. */
  readonly halt: Halt | undefined;
  /** Tries one that rests now. */
  retry(): Promise<void>;
  stop(options: { reason: string; timeout?: number | undefined }): Promise<void>;
  health(): Promise<HealthStatus>;
  metrics(): Promise<ProcessMetrics>;
  /** Facts of a member that no manager lists by itself. */
  info?(): ProcessInfo;
}

export interface StartMemberOptions {
  /** Counts up with each reload: what is started reads the file anew. */
  readonly generation: number;
  /** Aborts when the pool is stopped: the start is given up. */
  readonly signal: AbortSignal;
}

/** Starts a process for a place in the pool. Rejects, with nothing left, when it cannot be brought up. */
export type StartMember = (options: StartMemberOptions) => Promise<Member>;
