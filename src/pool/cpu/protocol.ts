// What a CPU pool and its threads say to each other, as tasks of Piscina: each is one exported function of worker.ts.
// Values cross through the codec, so that they, and what is refused, are the same as everywhere.
import { NotCloneableError } from '../../errors.js';
import { ValueCodec, type Encoded } from '../../rpc/codec.js';
import type { StartPhase } from '../../errors.js';
import type { MethodInfo } from '../../rpc/service.js';
import type { HealthStatus } from '../../types.js';
import type { MemoryBound } from '../../runtime/memory-guard.js';
import type { Usage } from '../../runtime/protocol.js';

/** A value on its way: tag, payload, attachments. */
export type Packed = [tag: number, payload: unknown, attachments?: readonly unknown[]];

export interface BootOrder {
  readonly file: string;
  readonly name: string | undefined;
  readonly caller: string;
  /** Stacks of this program show lines of the sources: so do those of its threads. */
  readonly sourceMaps: boolean;
  readonly dependencies: Packed;
  /** [0]: how far the start came, an index into PHASES; [1]: the thread that runs it. */
  readonly progress: Int32Array;
  readonly memory: MemoryBound | undefined;
}

export const PHASES: readonly StartPhase[] = ['load', 'construct', 'init', 'ready'];

export interface Booted {
  readonly name: string;
  readonly version: string | undefined;
  readonly methods: readonly MethodInfo[];
  readonly withheld: readonly string[];
  /** Shortest interval that a health check asked for, ms. */
  readonly healthInterval: number | undefined;
  /** When it came up. */
  readonly usage: Usage;
}

/** Number of the method, its arguments, time left in ms, headers. Flat, and short in the common case: arguments as they are, nothing else. */
export type CallTask = [method: number, args: unknown[]] | [method: number, tag: number, payload: unknown, attachments?: readonly unknown[] | undefined, timeLeft?: number | undefined, headers?: Readonly<Record<string, string>> | undefined];

/** A primitive as it is, or the tag of a value or, with FAILED added, of an error. */
export type Reply = Primitive | Packed;
export type Primitive = string | number | bigint | boolean | null | undefined;
/** Tags are smaller than this. */
export const FAILED = 16;

export interface StopTask {
  readonly reason: string;
  readonly hooks: number;
}

export interface ThreadTasks {
  boot(order: BootOrder): Promise<Booted | Packed>;
  call(task: CallTask): Reply | Promise<Reply>;
  health(timeout: number): Promise<HealthStatus>;
  usage(): Usage;
  stop(task: StopTask): Promise<string[]>;
}

const WHAT = { function: 'a function', stream: 'a stream', readable: 'a stream', proxy: 'the proxy of a process', signal: 'an AbortSignal' } as const;

/** The codec of a CPU pool: data only. A thread that computes cannot answer callbacks or feed streams meanwhile. */
export const newCodec = (): ValueCodec =>
  new ValueCodec({
    level: 'objects',
    maxFrame: Infinity,
    live: {
      exportLive(_value, kind, path) {
        throw new NotCloneableError(`${path} cannot be sent (${WHAT[kind]}): a pool with workload 'cpu' passes data only, because its threads do one call at a time; use workload 'io', or pass an array or a SharedArrayBuffer`, { path });
      },
      importLive: () => undefined,
    },
  });

/** Takes what is to be sent out of the codec's one result. */
export const pack = ({ tag, payload, attachments }: Encoded): Packed => (attachments === undefined ? [tag, own(payload)] : [tag, own(payload), attachments]);

/** Packed bytes lie on memory that values share, and a port sends the whole of it. */
export const own = (payload: unknown): unknown => (payload instanceof Uint8Array ? new Uint8Array(payload) : payload);
